// bgctl weight PERCENT: the share of the requests that goes to the color that is not active. One
// durable store, like a switch; 0 ends it. Refused where nothing would answer, or where the color
// was closed to be drained, unless --force says so. The region has basis points.
#include "controller/commands/command.hpp"
#include "controller/commands/target.hpp"
#include "controller/config/percent.hpp"
#include "controller/output/printable.hpp"

namespace bluegreen {
namespace {

Result<std::uint32_t> parse_weight(const std::string& text) {
  if (const auto weight = parse_percent(text)) {
    return *weight;
  }
  return fail(ExitCode::kUsage,
              "PERCENT: expected 0 to 100 with at most two decimals, as in \"5\" or \"0.25\", " +
                  std::string("found \"") + printable(text) + "\"");
}

Result<void> may_have_a_share(const shm::AppSnapshot& now, const std::string& app) {
  const Color idle = shm::other(now.route.active);
  if (now.route.closed(idle)) {
    const std::string name(shm::name_of(idle));
    return fail(ExitCode::kUsage,
                "application " + app + ": " + name + " is closed: it was drained, or is about to " +
                    "be; " + std::string(shm::name_of(now.route.active)) + " goes on serving alone",
                "deploy to it, or insist with --force, which opens it");
  }
  return something_serves(now, app, idle);
}

Verdict verdict_of(const std::string& app, const shm::AppSnapshot& before, std::uint32_t weight,
                   std::uint64_t generation) {
  const Color idle = shm::other(before.route.active);
  const std::string other(shm::name_of(idle));
  Verdict verdict = verdict_about("weight", app, before);
  verdict.previous = other;
  verdict.figures = {{"weight", weight}, {"weight_before", before.route.weight}};
  const std::string number = ", generation " + std::to_string(generation);
  if (weight == 0) {
    verdict.headline = app + ": " + verdict.active + " serves alone (" + other + " had " +
                       percent_text(before.route.weight) + number + ")";
    return verdict;
  }
  verdict.headline = app + ": " + percent_text(weight) + " to " + other + " (" +
                     describe_release(before.tables[shm::index_of(idle)]) + "), " +
                     percent_text(shm::kMaxWeight - weight) + " to " + verdict.active +
                     " (before: " + percent_text(before.route.weight) + number + ")";
  if (weight == shm::kMaxWeight) {
    verdict.hint =
        verdict.active + " is still the active color: finish with `bgctl switch " + other + "`";
  }
  return verdict;
}

}  // namespace

int weight_command(CommandContext& context) {
  const auto weight = parse_weight(context.argument("PERCENT"));
  if (!weight) {
    return context.fail(weight.error());
  }
  const auto locked = lock_app(context, "weight");
  if (!locked) {
    return context.fail(locked.error());
  }
  const std::string& app = locked->target.app;
  const auto before = locked->control->read(app);
  if (!before) {
    return context.fail(before.error());
  }
  if (*weight != 0 && !context.has_switch("--force")) {
    if (const auto may = may_have_a_share(*before, app); !may) {
      return context.fail(may.error());
    }
    const Color idle = shm::other(before->route.active);
    if (const auto well = somebody_is_well(*locked, *before, idle); !well) {
      return context.fail(well.error());
    }
  }
  const auto generation = locked->control->set_weight(app, *weight);
  if (!generation) {
    return context.fail(generation.error());
  }
  Verdict verdict = verdict_of(app, *before, *weight, *generation);
  add_attach_doubt(*locked, verdict);
  return context.finish(verdict);
}

}  // namespace bluegreen
