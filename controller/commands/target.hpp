// What the commands that change a route have in common: the application found, locked, and ready to
// be changed, and what they say of it afterwards.
#pragma once

#include <memory>
#include <string>

#include "controller/commands/command.hpp"
#include "controller/host/lock.hpp"
#include "controller/regions/control_file.hpp"

namespace bluegreen {

// `switch --hold` as the holder of an application's lock: whoever finds it killed knows that the
// hold in the route is nobody's any more.
inline constexpr const char* kSwitchHoldWork = "switch --hold";

// An application locked for a whole command. The lock goes last, after the file.
struct LockedApp {
  Target target;
  HostLock lock;
  std::unique_ptr<ControlFile> control;
};

// Opens the control file, finds the application (--app, the configuration's only one, the region's
// only one), takes its lock, at once or not at all (kLocked names the holder), and ends the hold of
// a `switch --hold` that was killed.
Result<LockedApp> lock_app(CommandContext& context, const std::string& command);

// The last part of it, for who takes the lock in another way: whoever does has to, since until then
// the lock's file names the killed one. An error leaves that to the next.
Result<void> end_left_hold(HostLock& lock, ControlPort& control, const std::string& app,
                           EventSink& events);

// "blue" or "green"; anything else is a usage error.
Result<Color> parse_color(const std::string& text);

// Refused when nothing would answer behind the color. That can be known only when somebody has
// published; before that, bluegreen_server lines count.
Result<void> something_serves(const shm::AppSnapshot& now, const std::string& app, Color color);

// Refuses (kNotHealthy) a color whose endpoints NGINX's probes all know to be unhealthy; one that
// is not known to be passes.
Result<void> somebody_is_well(const LockedApp& locked, const shm::AppSnapshot& now, Color color);

// What a color serves, for one line to a person: "release v2" or "its bluegreen_server lines".
std::string describe_release(const shm::EndpointTable& table);

// A verdict that says what is active in `now`; headline and the rest are the command's.
Verdict verdict_about(const std::string& command, const std::string& app,
                      const shm::AppSnapshot& now);

// Waits until NGINX's live workers obey this control file; where that cannot be had in time, the
// headline says so.
void add_attach_doubt(const LockedApp& locked, Verdict& verdict);

}  // namespace bluegreen
