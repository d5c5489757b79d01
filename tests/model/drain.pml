/* The drain protocol: a controller that flips, closes the old color, reads the gauges, and flips
 * back, against workers that may be anywhere. See worker.pml, docs/drain-proof.md, `check`.
 *
 * Shown: once the controller has read 0 from all live slots after closing a color, no request uses
 * it or will use it until it is opened again (assertions at `proven` and at a worker's `admitted`);
 * no gauge falls below 0; a request is admitted or refused after at most MOVES + 1 tries; nobody
 * waits for ever for somebody (no invalid end state).
 */
#define MUST_WAIT
#define ONE_COLOR
#include "worker.pml"

#ifndef WITNESS_FLIPPED_BACK
#define WITNESS_FLIPPED_BACK
#endif
#ifndef WITNESS_SLOT_FREE
#define WITNESS_SLOT_FREE
#endif

/* store_route: sequentially consistent. */
#ifdef FAULT_CLOSE_RELAXED
#define ROUTE(value) buffer[CONTROLLER]!WORD,value
#else
#define ROUTE(value) buffer[CONTROLLER]!WORD,value; DRAINED(CONTROLLER)
#endif

proctype controller() {
  byte round, old, slot, word;
  bool live, doubt;
#ifdef FAULT_GAUGE_BEFORE_HEAD
  byte early;
#endif
#ifdef LATE_ATTACH
  exists = true; /* init */
#endif
  do
  :: round == ROUNDS -> break
  :: round < ROUNDS ->
     old = ACTIVE(word);
     /* switch: the new color is opened */
     atomic { proven[1 - old] = false; word = (word & ~CLOSING(1 - old)) ^ 1 };
     ROUTE(word);
#ifdef FAULT_SCAN_BEFORE_CLOSE
     goto scan;
close:
     word = word | CLOSING(old);
     ROUTE(word);
     goto decided;
#else
     word = word | CLOSING(old);
     ROUTE(word);
#endif

scan:
     slot = 0; live = false; doubt = false;
     do
     :: slot == SLOTS -> break
     :: slot < SLOTS ->
#ifdef FAULT_LOCK_AFTER_GAUGE
        /* not a fault: see docs/drain-proof.md */
        doubt = doubt || mem[GAUGE(slot, old)] != 0;
        if
        :: lock_of[slot] == 0 -> doubt = false
        :: else -> live = true; doubt = doubt || mem[ATTACHED(slot)] == 0
        fi;
#else
#ifdef FAULT_GAUGE_BEFORE_HEAD
        early = mem[GAUGE(slot, old)];
#endif
        /* slot_life first, then the head, then the gauge. */
        if
        :: lock_of[slot] == 0 -> skip; WITNESS_SLOT_FREE
        :: lock_of[slot] != 0 ->
           live = true;
#ifndef FAULT_ATTACHED_NOT_ASKED
           doubt = mem[ATTACHED(slot)] == 0;
#endif
#ifdef FAULT_GAUGE_BEFORE_HEAD
           doubt = doubt || early != 0
#else
           doubt = doubt || mem[GAUGE(slot, old)] != 0
#endif
        fi;
#endif
        if
        :: doubt -> break
        :: else -> slot++
        fi
     od;
     if
     :: doubt || !live ->
        if
        :: goto scan
        :: goto over /* the time is up: exit 80 */
        fi
     :: else
     fi;
#ifdef FAULT_SCAN_BEFORE_CLOSE
     goto close;
decided:
#endif
     atomic {
       assert(USED(old) == 0);
       proven[old] = true
     };
     if
     :: round > 0 -> skip; WITNESS_FLIPPED_BACK
     :: else
     fi;
over:
     atomic { slot = 0; live = false; doubt = false; round++ }
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
