// Named places in the program at which a test may kill it: round every flush and every effect.
//
//   BLUEGREEN_KILL_POINT("journal written");
//
// In `bgctl` nothing is left of them; `bgctl-killable`, which tests alone run, is the same program
// with the sources that have them compiled again (controller/CMakeLists.txt). There each one that
// is met is a line in the file that BLUEGREEN_KILL_LOG names, numbered from 1, and the one that
// BLUEGREEN_KILL_AT names ("COMMAND NUMBER", as in "run-deploy 17") is the last thing that the
// process does: it ends by SIGKILL. "run-deploy 17 TERM" sends it a SIGTERM and lets it go on.
// The integration tests kill at each, and fail when the source names one that was never met.
#pragma once

#ifdef BLUEGREEN_KILL_POINTS
namespace bluegreen {
void kill_point(const char* name);
}
#define BLUEGREEN_KILL_POINT(name) ::bluegreen::kill_point(name)
#else
#define BLUEGREEN_KILL_POINT(name) static_cast<void>(0)
#endif
