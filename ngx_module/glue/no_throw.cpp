// What the standard library's headers call when a precondition is broken. The module must not need
// libstdc++ at run time, is built without exceptions, and checks its bounds before it calls; so
// these end the worker, which the master starts anew. Hidden by exports.map.
#include <cstdlib>

// NOLINTBEGIN(bugprone-reserved-identifier): the library chose the name
namespace std {

[[noreturn]] void __throw_out_of_range_fmt(const char*, ...);

void __throw_out_of_range_fmt(const char*, ...) {
  abort();
}

}  // namespace std
// NOLINTEND(bugprone-reserved-identifier)
