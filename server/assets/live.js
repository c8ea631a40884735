// Keeps a page up to date: the server says that something changed, the page asks for itself again and swaps what is
// different. Everything works without this; then the page is as old as its last loading.

const status = document.getElementById('live-status')
const regions = () => [...document.querySelectorAll('[data-live]')]
const keys = (root) => new Set([...root.querySelectorAll('[data-key]')].map((item) => item.dataset.key))

let shown = document.body.dataset.heads
let busy = false
let again = false
let edited = false

document.addEventListener('input', () => (edited = true))

// What has the focus, in words that find it again after a swap.
function focusPlace() {
  const element = document.activeElement
  if (!element || !element.closest('[data-live]')) return null
  const item = element.closest('[data-key]')
  const scope = item ?? element.closest('[data-live]')
  const index = [...scope.querySelectorAll('a, button, input, summary')].indexOf(element)
  return { key: item?.dataset.key, region: element.closest('[data-live]').id, index }
}

function focusAgain(place) {
  const scope = place.key
    ? document.querySelector(`[data-key="${CSS.escape(place.key)}"]`)
    : document.getElementById(place.region)
  const element = scope?.querySelectorAll('a, button, input, summary')[place.index]
  // Its item may be gone from the list: then the list itself, so that the reader's place is not lost.
  const target = element ?? document.getElementById(place.region)
  target?.focus({ preventScroll: true })
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
    region.replaceChildren(...next.childNodes)
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
  return added
}

function say(text) {
  status.textContent = text
}

async function refresh() {
  if (busy) {
    again = true
    return
  }
  busy = true
  try {
    const answer = await fetch(location.href, { headers: { 'X-Wayside-Live': '1' }, redirect: 'manual' })
    // Signed out meanwhile: the next click leads to the sign-in page.
    if (!answer.ok) return
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
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

if (shown !== undefined && 'EventSource' in window) {
  const events = new EventSource('/events')
  events.addEventListener('heads', (event) => {
    if (event.data !== shown) refresh()
  })
  const clock = setInterval(() => {
    // How long ago a tablet synced changes by itself.
    if (!document.hidden && !edited) refresh()
  }, 60_000)
  // Signed out, disabled or expired: asking again and again would not help.
  events.addEventListener('end', () => {
    events.close()
    clearInterval(clock)
  })
}
