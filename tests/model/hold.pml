/* bgctl switch --hold: a flip with nothing in flight, for a migration that two releases cannot
 * share. See worker.pml, docs/drain-proof.md, `check`.
 *
 * Shown: no two colors have an admitted request at one moment, whether the switch succeeds or runs
 * out of time and goes back; after it has been released a request can be admitted again; and what
 * drain.pml shows of gauges and moves.
 *
 * The word has weight 0, no fallback, and no preview goes on while it holds. EXPIRES: the ticket's
 * deadline may pass, at any moment; then workers ignore the hold, and the controller looks at the
 * clock behind its decisive store (FAULT_DEADLINE_NOT_ASKED: it does not).
 */
#define HOLD
#ifdef FAULT_HOLD_NOT_LOOKED_AT_AGAIN
#define MUST_WAIT
#else
#define MUST_WAIT || HOLDS(mem[WORD])
#endif
#ifdef EXPIRES
bool expired;
bool believed = true; /* the controller promises that colors do not meet */
#define HOLDS(w) (HELD(w) && !expired)
#define ONE_COLOR met = met || (USED(BLUE) > 0 && USED(GREEN) > 0);
bool met;
#else
#define HOLDS(w) HELD(w)
#define ONE_COLOR assert(USED(BLUE) == 0 || USED(GREEN) == 0);
#endif
#include "worker.pml"

#ifndef WITNESS_RELEASED
#define WITNESS_RELEASED
#endif
#ifndef WITNESS_WENT_BACK
#define WITNESS_WENT_BACK
#endif

#define ROUTE(value) buffer[CONTROLLER]!WORD,value; DRAINED(CONTROLLER)

byte scanned; /* result of the last scan: 1 empty, 2 not */

inline scan(color) {
  slot = 0; live = false; doubt = false;
  do
  :: slot == SLOTS -> break
  :: slot < SLOTS ->
     if
     :: lock_of[slot] == 0
     :: lock_of[slot] != 0 ->
        live = true;
        doubt = mem[ATTACHED(slot)] == 0;
        doubt = doubt || mem[GAUGE(slot, color)] != 0
     fi;
     if
     :: doubt -> break
     :: else -> slot++
     fi
  od;
  scanned = (doubt || !live -> 2 : 1);
  slot = 0; live = false; doubt = false
}

proctype controller() {
  byte round, old, slot, word;
  bool live, doubt;
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
     old = ACTIVE(word);
#ifdef EXPIRES
     atomic { expired = false; believed = true; met = false };
#endif
     ROUTE(word | HOLDING);
#ifndef FAULT_FLIPPED_WITHOUT_WAITING
wait:
     scan(old);
     if
     :: scanned == 2 ->
        if
        :: goto wait
        :: goto back
        fi
     :: scanned == 1
     fi;
#endif
     /* The other color is active and open, the old one closed, and still all wait. */
     ROUTE((1 - old) | CLOSING(old) | HOLDING);
#ifdef EXPIRES
     /* The clock behind the store: before the deadline nobody can have overlooked the hold. */
#ifndef FAULT_DEADLINE_NOT_ASKED
     atomic {
       if
       :: expired -> believed = false; WITNESS_WENT_BACK
       :: else
       fi
     };
#endif
#endif
#ifndef FAULT_FLIPPED_WITHOUT_WAITING
again:
     scan(old);
     if
     :: scanned == 2 ->
        if
        :: goto again
#ifndef EXPIRES
        :: goto back
#endif
        fi
     :: scanned == 1
     fi;
#endif
     word = (1 - old) | CLOSING(old);
     ROUTE(word);
#ifdef EXPIRES
     assert(!believed || !met);
#endif
     WITNESS_RELEASED
     goto over;
back:
     /* As it was. */
     ROUTE(word);
     WITNESS_WENT_BACK
over:
     atomic { round++; scanned = 0 }
  od
}

init {
  atomic {
    run store_buffer(0);
    run store_buffer(1);
    run store_buffer(CONTROLLER);
    run worker(0);
    run worker(1);
    run world();
    run controller()
  }
}
