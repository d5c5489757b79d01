/* What drain.pml and hold.pml share: memory with a store buffer a process, worker slots with the
 * kernel's locks, workers, and a world that kills, stops and continues them.
 *
 * One step of this model is one access of a shared word, one system call, or one step of a store
 * out of a buffer; everything that can happen between two of them is tried. Names follow
 * shm/in_flight.hpp, shm/worker_slots.hpp, shm/control_region.hpp; docs/drain-proof.md says what is
 * left out and why.
 *
 * Switches, by -D: WORKERS, DEATHS, STOPS, ROUNDS, REQUESTS a worker, MOVES, DEPTH of a buffer,
 * LATE_ATTACH (a worker may begin without the control file), and the faults that `check` names.
 */

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef STOPS
#define STOPS 0
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef REQUESTS
#define REQUESTS 1
#endif
#ifndef MOVES
#define MOVES 1
#endif
#ifndef DEPTH
#define DEPTH 3
#endif

#define SLOTS WORKERS
#define CONTROLLER WORKERS

/* The route word: what of it decides here. The generation is left out: a word that compares equal
 * to the one seen closes nothing that the one seen left open. */
#define BLUE 0
#define GREEN 1
#define ACTIVE(w) ((w) & 1)
#define CLOSED(w, c) (((w) >> (1 + (c))) & 1)
#define HELD(w) (((w) >> 3) & 1)
#define CLOSING(c) (1 << (1 + (c)))
#define HOLDING 8

/* Memory: gauges, then what a slot says that it obeys, then the word. */
#define GAUGE(slot, c) ((slot) * 2 + (c))
#define ATTACHED(slot) (SLOTS * 2 + (slot))
#define WORD (SLOTS * 3)
byte mem[SLOTS * 3 + 1];

/* x86's order (TSO): a store waits in its processor's buffer, first in first out; a load reads
 * memory. A sequentially consistent store is followed by DRAINED; release and relaxed ones are not.
 * A worker reads of its own stores only gauges, whose values it knows: mine[]. */
chan buffer[WORKERS + 1] = [DEPTH] of { byte, byte };
#define DRAINED(p) empty(buffer[p])

proctype store_buffer(byte p) {
  byte at, value;
end:
  do
  :: d_step { nempty(buffer[p]) -> buffer[p]?at,value; mem[at] = value; at = 0; value = 0 }
  od
}

byte lock_of[SLOTS];        /* who holds a slot's lock: worker + 1, or 0 */
bool killed[WORKERS];       /* SIGKILL is on its way */
bool stopped[WORKERS];      /* SIGSTOP */
byte inside[WORKERS * 2];   /* requests that really use a color: what gauges are about */
#ifdef LATE_ATTACH
bool exists;                /* the control file */
#endif
bool proven[2];             /* the controller has said: closed and empty */
#define RUNS (!stopped[w])

/* Places that a run must come by: `check` turns one at a time into a fault that must be found, so
 * that no property holds only because nothing happens. */
#define HERE assert(false);
#ifndef WITNESS_REFUSED
#define WITNESS_REFUSED
#endif
#ifndef WITNESS_WITHDRAWN
#define WITNESS_WITHDRAWN
#endif
#ifndef WITNESS_TAKEN_OVER
#define WITNESS_TAKEN_OVER
#endif
#define USED(c) (inside[0 * 2 + (c)] + inside[1 * 2 + (c)])
#if WORKERS != 2
#error USED adds up two workers
#endif

#define STORE(p, where, what) atomic { nfull(buffer[p]) && RUNS -> buffer[p]!where,what }

/* An application that a worker serves, over all its lives. */
proctype worker(byte w) {
  byte slot, color, seen, moves;
  byte mine[2];
  bool obeys;

born:
  {
    /* take_slot: the lowest free lock, then zeroes, all release; move_counters stores the gauges
     * again, sequentially consistent, before anything is served. */
    slot = 0;
    do
    :: atomic {
         RUNS && lock_of[slot] == 0 ->
         lock_of[slot] = w + 1;
         if
         :: mem[GAUGE(slot, BLUE)] + mem[GAUGE(slot, GREEN)] > 0 -> skip; WITNESS_TAKEN_OVER
         :: else
         fi;
         break
       }
    :: atomic { RUNS && lock_of[slot] != 0 -> slot = (slot + 1) % SLOTS }
    od;
    STORE(w, ATTACHED(slot), 0);
    STORE(w, GAUGE(slot, BLUE), 0);
    STORE(w, GAUGE(slot, GREEN), 0);
    RUNS && DRAINED(w);
#ifdef LATE_ATTACH
    if
    :: atomic { RUNS && !exists } /* no control file yet: the bluegreen_server lines, blue */
    :: atomic { RUNS && exists -> goto attach }
    fi;
#else
    goto attach;
#endif

serve:
    do
    /* A request. Each first try, retry, fallback, preview is one: any color that the word leaves
     * open may be chosen. */
    :: atomic { RUNS && mine[BLUE] + mine[GREEN] < REQUESTS -> moves = 0 }
choose:
       atomic {
         RUNS ->
         if
         :: obeys -> seen = mem[WORD]
         :: else -> seen = CLOSING(GREEN)
         fi
       };
#ifdef HOLD
       if
       :: HOLDS(seen) -> goto serve /* waits, in front of the balancer */
       :: else -> color = ACTIVE(seen)
       fi;
#else
       if
       :: !CLOSED(seen, BLUE) -> color = BLUE
       :: !CLOSED(seen, GREEN) -> color = GREEN
       fi;
#endif
       mine[color]++;
       STORE(w, GAUGE(slot, color), mine[color]);
#ifndef FAULT_ANNOUNCE_RELAXED
       RUNS && DRAINED(w);
#endif
       atomic {
         RUNS ->
         if
#ifndef FAULT_NO_RECHECK
         :: obeys && (CLOSED(mem[WORD], color) MUST_WAIT) -> skip
         :: !(obeys && (CLOSED(mem[WORD], color) MUST_WAIT)) -> goto admitted
#else
         :: goto admitted
#endif
         fi
       };
       WITNESS_WITHDRAWN
       assert(mine[color] > 0);
       mine[color]--;
       STORE(w, GAUGE(slot, color), mine[color]);
       moves++;
       assert(moves <= MOVES + 1);
       if
       :: moves <= MOVES -> goto choose
       :: else ->
          WITNESS_REFUSED
          goto serve /* 503: the route moved too often */
       fi;
admitted:
       atomic {
         RUNS ->
         inside[w * 2 + color]++;
         assert(!proven[color]);
         ONE_COLOR
         color = 0; seen = 0; moves = 0
       }

    /* The end of one: what it did comes before its gauge falls (release). */
    :: atomic { RUNS && mine[BLUE] > 0 -> color = BLUE; inside[w * 2 + color]-- };
       goto fall
    :: atomic { RUNS && mine[GREEN] > 0 -> color = GREEN; inside[w * 2 + color]-- };
fall:
       assert(mine[color] > 0);
       mine[color]--;
       STORE(w, GAUGE(slot, color), mine[color]);
       color = 0

#ifdef FAULT_FALLBACK_IN_HOLD
    /* A retry that may go to the other color. */
    :: atomic { RUNS && mine[BLUE] > 0 -> mine[BLUE]--; inside[w * 2 + BLUE]--; mine[GREEN]++ };
       STORE(w, GAUGE(slot, BLUE), mine[BLUE]);
       STORE(w, GAUGE(slot, GREEN), mine[GREEN]);
       RUNS && DRAINED(w);
       color = GREEN;
       goto admitted
#endif

#ifdef LATE_ATTACH
    :: atomic { RUNS && !obeys && exists -> goto attach }
#endif
    od;

attach:
    /* First the word is followed, then the slot says so (say_attached: sequentially consistent). */
    atomic { RUNS -> obeys = true };
    STORE(w, ATTACHED(slot), 1);
    RUNS && DRAINED(w);
    goto serve
  } unless {
    /* However it dies: what was stored reaches memory, then the kernel frees the lock. The gauges
     * stay as they are. Its requests end with it. */
    d_step {
      killed[w] && DRAINED(w) ->
      killed[w] = false;
      stopped[w] = false;
      if
      :: lock_of[slot] == w + 1 -> lock_of[slot] = 0
      :: else
      fi;
      inside[w * 2 + BLUE] = 0;
      inside[w * 2 + GREEN] = 0;
      mine[BLUE] = 0;
      mine[GREEN] = 0;
      slot = 0; color = 0; seen = 0; moves = 0;
      obeys = false
    }
  };
  goto born
}

proctype world() {
  byte deaths, stops, victim;
end:
  do
  :: d_step { deaths < DEATHS && !killed[0] -> killed[0] = true; deaths++ }
  :: d_step { deaths < DEATHS && !killed[1] -> killed[1] = true; deaths++ }
#ifdef EXPIRES
  :: d_step { !expired -> expired = true }
#endif
#if STOPS > 0
  :: d_step { stops < STOPS && !stopped[0] -> stopped[0] = true; stops++ }
  :: d_step { stops < STOPS && !stopped[1] -> stopped[1] = true; stops++ }
  :: d_step { stopped[0] -> stopped[0] = false }
  :: d_step { stopped[1] -> stopped[1] = false }
#ifdef FAULT_FREED_WHILE_STOPPED
  /* Somebody takes silence for death. */
  :: d_step { stopped[0] && lock_of[0] == 1 -> lock_of[0] = 0 }
  :: d_step { stopped[0] && lock_of[1] == 1 -> lock_of[1] = 0 }
#endif
#endif
  od
}
