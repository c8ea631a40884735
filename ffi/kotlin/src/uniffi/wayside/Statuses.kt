package uniffi.wayside

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.flowOn

/**
 * How things stand: now, and whenever it changes, as long as somebody collects. Who collects slowly gets the newest. It
 * fails with `tablet_locked` on a tablet that is locked, and says nothing more once it is: collect anew after `unlock`.
 */
fun Tablet.statuses(): Flow<Status> = callbackFlow {
    val watch = watchStatus(object : StatusListener {
        override fun onStatus(status: Status) {
            trySend(status)
        }
    })
    awaitClose {
        watch.stop()
        watch.close()
    }
}.conflate().flowOn(Dispatchers.IO)
