// The whole of Today by the keyboard, a click without a new page, and a sound. Everything here works by Tab, Enter and
// plain forms as well.

const list = document.getElementById('live-list')
const status = document.getElementById('live-status')
const things = () => [...list.querySelectorAll('.app-thing')]
const current = () => document.activeElement?.closest('.app-thing') ?? null

// What this browser remembers. Where it remembers nothing, things are as they were at first.
const remembered = (name) => {
  try {
    return localStorage.getItem(name)
  } catch {
    return null
  }
}
const remember = (name, value) => {
  try {
    localStorage.setItem(name, value)
  } catch {
    // Then it holds until the page is left.
  }
}

let keysOn = remembered('wayside-keys') !== 'off'
let soundOn = remembered('wayside-sound') === 'on'

document.getElementById('desk').hidden = false

// --- A click without a new page ---

document.addEventListener('submit', async (event) => {
  const form = event.target
  if (!form.matches('form[data-quick]')) return
  event.preventDefault()
  const body = new URLSearchParams(new FormData(form, event.submitter))
  // What is sent is no longer half-typed.
  for (const field of form.querySelectorAll('input[type=text]')) field.defaultValue = field.value
  const buttons = form.querySelectorAll('button')
  for (const button of buttons) button.setAttribute('aria-disabled', 'true')
  try {
    const answer = await fetch(form.action, { method: 'POST', body })
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    if (answer.ok && page.getElementById('live-list')) {
      const url = new URL(answer.url)
      history.replaceState(null, '', url.pathname + url.search)
      document.dispatchEvent(new CustomEvent('live:show', { detail: page }))
      const said = page.querySelector('[data-said]')
      if (said) tell(said.dataset.said)
    } else {
      problem(page.querySelector('main p')?.textContent ?? 'This did not work. Try again.')
    }
  } catch {
    problem('There is no connection to the server just now. Nothing was noted. Try again.')
  } finally {
    for (const button of buttons) button.removeAttribute('aria-disabled')
  }
})

// A second click while the first is under way does nothing.
document.addEventListener(
  'click',
  (event) => {
    if (event.target.closest('button[aria-disabled=true]')) event.preventDefault()
  },
  { capture: true }
)

function tell(text) {
  status.textContent = text
}

function problem(text) {
  const said = document.getElementById('said')
  const box = document.createElement('div')
  box.className = 'app-said app-said--problem'
  const words = document.createElement('p')
  words.textContent = text
  box.append(words)
  said.replaceChildren(box)
  tell(text)
  document.dispatchEvent(new CustomEvent('live:look'))
}

// --- Keys ---

function step(by) {
  const all = things()
  const at = all.indexOf(current())
  const next = at < 0 ? all[by > 0 ? 0 : all.length - 1] : all[at + by]
  if (!next) return
  next.focus({ preventScroll: true })
  next.scrollIntoView({ block: 'nearest' })
}

const press = (root, what) => root?.querySelector(`[data-do="${what}"]`)?.click()

// The first button of all: where nothing else ends it, that somebody was reached.
function done(thing) {
  if (!thing) return
  press(thing, thing.querySelector('[data-do="done"]') ? 'done' : 'reached')
}

function toFilters() {
  const first = document.querySelector('#live-filters a')
  if (!first.checkVisibility()) document.getElementById('filters').open = true
  first.focus()
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  o: () => current()?.querySelector('h3 a')?.click(),
  d: () => done(current()),
  r: () => press(current(), 'reached'),
  n: () => press(current(), 'no_answer'),
  t: () => press(current(), 'tried'),
  m: () => press(current(), 'mine'),
  u: () => press(document, 'undo'),
  f: toFilters,
}

// These may be held down. Nothing is noted twice because a finger was slow.
const MOVES = new Set(['j', 'k'])
const ARROWS = { ArrowDown: 1, ArrowUp: -1 }

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || keys.open) return
  if (event.target.closest('input, select, textarea')) return
  const onThing = document.activeElement?.classList.contains('app-thing')
  if (onThing && event.key in ARROWS) {
    event.preventDefault()
    step(ARROWS[event.key])
  } else if (onThing && event.key === 'Enter') {
    KEYS.o()
  } else if (keysOn && event.key === '?') {
    event.preventDefault()
    keys.showModal()
  } else if (keysOn && Object.hasOwn(KEYS, event.key) && (!event.repeat || MOVES.has(event.key))) {
    event.preventDefault()
    KEYS[event.key]()
  }
})

const keys = document.getElementById('keys')
const keysSwitch = document.getElementById('keys-switch')
document.getElementById('keys-button').addEventListener('click', () => keys.showModal())
keysSwitch.addEventListener('click', () => {
  keysOn = !keysOn
  remember('wayside-keys', keysOn ? 'on' : 'off')
  showSwitches()
})

// --- The sound: two notes, made here, when something urgent came in ---

const soundSwitch = document.getElementById('sound')
let audio = null

// A browser lets a page be heard only after somebody has touched it. One that was not is silent, and makes no noise
// later for what is long past.
const patience = () => new Promise((resolve) => setTimeout(resolve, 1000))

async function play() {
  if (navigator.userActivation?.hasBeenActive === false) return
  audio ??= new AudioContext()
  await Promise.race([audio.resume(), patience()])
  if (audio.state !== 'running') return
  for (const [pitch, after] of [
    [660, 0],
    [880, 0.18],
  ]) {
    const [tone, loudness] = [audio.createOscillator(), audio.createGain()]
    const begins = audio.currentTime + after
    tone.frequency.value = pitch
    loudness.gain.setValueAtTime(0.15, begins)
    loudness.gain.exponentialRampToValueAtTime(0.001, begins + 0.3)
    tone.connect(loudness).connect(audio.destination)
    tone.start(begins)
    tone.stop(begins + 0.3)
  }
  // For whoever listens to the page by other means, and for tests.
  document.dispatchEvent(new CustomEvent('today:sounded'))
}

soundSwitch.addEventListener('click', () => {
  soundOn = !soundOn
  remember('wayside-sound', soundOn ? 'on' : 'off')
  showSwitches()
  if (soundOn) play()
})

const urgent = () => Number(document.getElementById('urgent')?.dataset.urgent ?? 0)
let known = urgent()
document.addEventListener('live:shown', () => {
  const now = urgent()
  if (soundOn && now > known) play()
  known = now
})

function showSwitches() {
  keysSwitch.setAttribute('aria-pressed', String(keysOn))
  keysSwitch.textContent = `Single keys: ${keysOn ? 'on' : 'off'}`
  soundSwitch.setAttribute('aria-pressed', String(soundOn))
  soundSwitch.textContent = `Sound when something urgent comes in: ${soundOn ? 'on' : 'off'}`
}
showSwitches()
