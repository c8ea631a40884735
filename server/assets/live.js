// Keeps a page up to date: the server says that something changed, the page asks for itself again and swaps what is
// different. Everything works without this; then the page is as old as its last loading.

const status = document.getElementById('live-status')
const regions = () => [...document.querySelectorAll('[data-live]')]
const keys = (root) => new Set([...root.querySelectorAll('[data-key]')].map((item) => item.dataset.key))

let shown = document.body.dataset.heads
let busy = false
let again = false
let edited = false
// Counts what was shown: an answer that was asked for before that is old.
let turn = 0

// A region with data-keep keeps what is half-typed across a swap: its forms replace nothing that could have changed
// meanwhile. Anywhere else the page stands still as long as a form is half-filled.
document.addEventListener('input', (event) => {
  if (!event.target.closest('[data-keep]')) edited = true
})

const CAN_FOCUS = 'a, button, input, select, textarea, summary'

// What has the focus, in words that find it again after a swap.
function focusPlace() {
  const element = document.activeElement
  const region = element?.closest('[data-live]')
  if (!region) return null
  const item = element.closest('[data-key]')
  const scope = item ?? region
  return {
    key: item?.dataset.key,
    region: region.id,
    nth: item ? [...region.querySelectorAll('[data-key]')].indexOf(item) : -1,
    // -1: the item itself.
    index: [...scope.querySelectorAll(CAN_FOCUS)].indexOf(element),
    selection: element.matches('input[type=text], textarea') ? [element.selectionStart, element.selectionEnd] : null,
  }
}

function focusAgain(place) {
  const region = document.getElementById(place.region)
  const scope = place.key ? document.querySelector(`[data-key="${CSS.escape(place.key)}"]`) : region
  const element = place.index < 0 ? scope : scope?.querySelectorAll(CAN_FOCUS)[place.index]
  // Its item may be gone from the list: then what took its place, or the list itself, so that the reader's place is not
  // lost.
  const items = [...(region?.querySelectorAll('[data-key][tabindex]') ?? [])]
  const target = element ?? items[Math.min(place.nth, items.length - 1)] ?? region
  if (target === document.activeElement) return
  target?.focus({ preventScroll: true })
  if (place.selection && target === element) target.setSelectionRange(...place.selection)
}

// Fields of a region in which something else stands than the server sent.
const typed = (region) =>
  [...region.querySelectorAll('input[type=text][id], textarea[id]')].filter(
    (field) => field.value !== field.defaultValue
  )

// Puts half-typed text back after a swap. Where its item has left the list it stays, and says so.
function typedAgain(region, fields, before) {
  for (const field of fields) {
    const fresh = document.getElementById(field.id)
    if (fresh && fresh !== field) {
      fresh.value = field.value
      continue
    }
    const item = field.closest('[data-key]')
    if (fresh || !item) continue
    if (!item.querySelector('.app-gone')) {
      const note = document.createElement('p')
      note.className = 'app-gone'
      note.textContent = 'This has left the list meanwhile. It stays here because you have typed something.'
      item.prepend(note)
    }
    const others = [...region.querySelectorAll('[data-key]')]
    const after = others[before.indexOf(item.dataset.key)]
    if (after) after.before(item)
    else region.prepend(item)
  }
}

// The first item on the screen stays where it is.
function scrollPlace() {
  const item = [...document.querySelectorAll('[data-live] [data-key]')].find(
    (candidate) => candidate.getBoundingClientRect().bottom > 0
  )
  return window.scrollY > 0 && item ? { key: item.dataset.key, top: item.getBoundingClientRect().top } : null
}

function scrollAgain(place) {
  const item = document.querySelector(`[data-key="${CSS.escape(place.key)}"]`)
  if (item) window.scrollBy(0, item.getBoundingClientRect().top - place.top)
}

function swap(fresh) {
  const focus = focusPlace()
  const scroll = scrollPlace()
  let added = 0
  for (const region of regions()) {
    const next = fresh.getElementById(region.id)
    if (!next) continue
    const before = keys(region)
    const open = [...region.querySelectorAll('details[open][id]')].map((details) => details.id)
    const html = next.innerHTML
    if (html === region.innerHTML) continue
    const fields = region.hasAttribute('data-keep') ? typed(region) : []
    region.replaceChildren(...next.childNodes)
    typedAgain(region, fields, [...before])
    for (const id of open) document.getElementById(id)?.setAttribute('open', '')
    for (const item of region.querySelectorAll('[data-key]')) {
      if (before.has(item.dataset.key) || region.id !== 'live-list') continue
      item.classList.add('app-new')
      added += 1
    }
  }
  document.title = fresh.title
  if (focus) focusAgain(focus)
  if (scroll) scrollAgain(scroll)
  document.dispatchEvent(new CustomEvent('live:shown'))
  return added
}

// A page that a script of ours has fetched already.
document.addEventListener('live:show', (event) => {
  turn += 1
  shown = event.detail.body.dataset.heads
  swap(event.detail)
})
document.addEventListener('live:look', () => refresh())

function say(text) {
  status.textContent = text
}

async function refresh() {
  if (busy) {
    again = true
    return
  }
  busy = true
  const asked = turn
  try {
    const answer = await fetch(location.href, { headers: { 'X-Wayside-Live': '1' }, redirect: 'manual' })
    // Signed out meanwhile: the next click leads to the sign-in page.
    if (!answer.ok) return
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
    if (asked !== turn) {
      again = true
      return
    }
    shown = fresh.body.dataset.heads
    // Never take a half-filled form from under somebody's hands.
    if (edited) {
      document.getElementById('live-stale')?.removeAttribute('hidden')
      say('This page has changed. Reload it to see what is new.')
      return
    }
    const added = swap(fresh)
    const word = document.body.dataset.liveWord
    if (added > 0 && word) say(added === 1 ? `1 new ${word}` : `${added} new ${word}s`)
  } catch {
    // No connection just now: the next event tries again.
  } finally {
    busy = false
    if (again) {
      again = false
      refresh()
    }
  }
}

// A browser opens six connections to one server, and keeps pages that were left for a while, connections and all: a
// page that cannot be seen must hold none, or the seventh click waits. But for those that say in their title, or aloud,
// that something came in.
let channel = null
let ended = shown === undefined || !('EventSource' in window)
// Browsers say that a page was left before they say that it is hidden.
let left = false
const listensHidden = document.querySelector('[data-listens-hidden]') !== null

function listen() {
  if (ended || left || channel || (document.hidden && !listensHidden)) return
  channel = new EventSource('/events')
  // The first tells what holds now: nothing is missed between two channels.
  channel.addEventListener('heads', (event) => {
    if (event.data !== shown) refresh()
  })
  // Signed out, disabled or expired: asking again and again would not help.
  channel.addEventListener('end', () => {
    ended = true
    hangUp()
  })
}

function hangUp() {
  channel?.close()
  channel = null
}

window.addEventListener('pagehide', () => {
  left = true
  hangUp()
})
window.addEventListener('pageshow', () => {
  left = false
  listen()
})
document.addEventListener('visibilitychange', () => {
  listen()
  if (document.hidden && !listensHidden) hangUp()
})
listen()
setInterval(() => {
  // How long ago a tablet synced changes by itself.
  if (!ended && !document.hidden && !edited) refresh()
}, 60_000)

// A page that is made for paper has a button for it, which only a script can press.
for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false
  button.addEventListener('click', () => print())
}
