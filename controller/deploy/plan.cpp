// See plan.hpp.
#include "controller/deploy/plan.hpp"

#include <charconv>

#include "shm/text_field.hpp"

namespace bluegreen {

std::string release_name(const std::string& image) {
  const std::size_t at = image.find('@');
  const std::string name = image.substr(0, at);
  const std::size_t slash = name.rfind('/');
  std::string last = slash == std::string::npos ? name : name.substr(slash + 1);
  const std::size_t colon = last.rfind(':');
  if (colon != std::string::npos && colon + 1 < last.size()) {
    return last.substr(colon + 1);
  }
  if (at != std::string::npos) {
    constexpr std::size_t kShortDigest = sizeof("sha256:") - 1 + 12;
    return image.substr(at + 1, kShortDigest);
  }
  return last;
}

Labels labels_of(const shm::EndpointTable& table) {
  return {std::string(shm::text_of(table.release)), std::string(shm::text_of(table.image)),
          std::string(shm::text_of(table.deploy_id))};
}

namespace {

Result<Plan> plan_of_region(ControlPort& control, const std::string& app) {
  auto snapshot = control.read(app);
  if (!snapshot) {
    return tl::unexpected(snapshot.error());
  }
  Plan plan;
  plan.app = app;
  plan.idle = shm::other(snapshot->route.active);
  plan.generation = snapshot->generation;
  plan.active_before = labels_of(snapshot->tables[shm::index_of(plan.active())]);
  plan.idle_before = labels_of(snapshot->tables[shm::index_of(plan.idle)]);
  return plan;
}

bool all_healthy_from(const std::vector<Instance>& instances, const std::string& image) {
  for (const Instance& instance : instances) {
    if (instance.health != Health::kHealthy || instance.image != image) {
      return false;
    }
  }
  return !instances.empty();
}

}  // namespace

Result<Plan> plan_deploy(ControlPort& control, const std::string& app, const std::string& id,
                         const std::string& image) {
  auto plan = plan_of_region(control, app);
  if (plan) {
    plan->command = "deploy";
    plan->id = id;
    plan->image = image;
    plan->release = release_name(image);
  }
  return plan;
}

Result<Plan> plan_rollback(ControlPort& control, Runtime& runtime, const std::string& app,
                           const std::string& id, const Labels& remembered) {
  auto plan = plan_of_region(control, app);
  if (!plan) {
    return plan;
  }
  plan->command = "rollback";
  plan->id = id;
  const Labels& target = plan->idle_before.image.empty() ? remembered : plan->idle_before;
  if (target.image.empty()) {
    return fail(ExitCode::kPreflight,
                "nothing to roll back to: neither the control region nor the history of " + app +
                    " names an image before " +
                    (plan->active_before.release.empty() ? "the first deploy"
                                                         : plan->active_before.release),
                "deploy the wanted image by its name: bgctl deploy IMAGE");
  }
  plan->image = target.image;
  plan->release = target.release.empty() ? release_name(target.image) : target.release;
  auto running = runtime.observe(plan->idle);
  plan->warm = running && all_healthy_from(*running, target.image);
  return plan;
}

Facts facts_of(const Plan& plan) {
  return {{"command", plan.command},
          {"id", plan.id},
          {"app", plan.app},
          {"image", plan.image},
          {"release", plan.release},
          {"idle", std::string(shm::name_of(plan.idle))},
          {"generation", std::to_string(plan.generation)},
          {"active_release", plan.active_before.release},
          {"active_image", plan.active_before.image},
          {"active_deploy_id", plan.active_before.deploy_id},
          {"idle_release", plan.idle_before.release},
          {"idle_image", plan.idle_before.image},
          {"idle_deploy_id", plan.idle_before.deploy_id},
          {"warm", plan.warm ? "yes" : "no"},
          {"pause_before", plan.pause.before},
          {"pause_ms", std::to_string(plan.pause.at_most.count())}};
}

Result<Plan> plan_from(const Facts& facts) {
  const auto get = [&facts](const char* key) {
    const auto found = facts.find(key);
    return found == facts.end() ? std::string() : found->second;
  };
  Plan plan;
  plan.command = get("command");
  plan.id = get("id");
  plan.app = get("app");
  plan.image = get("image");
  plan.release = get("release");
  plan.active_before = {get("active_release"), get("active_image"), get("active_deploy_id")};
  plan.idle_before = {get("idle_release"), get("idle_image"), get("idle_deploy_id")};
  plan.warm = get("warm") == "yes";
  // Not in a journal of an earlier version; nothing after the flip needs it.
  plan.pause.before = get("pause_before");
  std::int64_t pause_ms = 0;
  const std::string pause = get("pause_ms");
  std::from_chars(pause.data(), pause.data() + pause.size(), pause_ms);
  plan.pause.at_most = std::chrono::milliseconds(pause_ms);
  const std::string idle = get("idle");
  if (idle != "blue" && idle != "green") {
    return fail(ExitCode::kPreflight,
                "the journal's plan has the idle color '" + idle + "', expected blue or green");
  }
  plan.idle = idle == "blue" ? Color::kBlue : Color::kGreen;
  const std::string generation = get("generation");
  const auto parsed =
      std::from_chars(generation.data(), generation.data() + generation.size(), plan.generation);
  if (generation.empty() || parsed.ec != std::errc() ||
      parsed.ptr != generation.data() + generation.size()) {
    return fail(ExitCode::kPreflight,
                "the journal's plan has the generation '" + generation + "', expected a number");
  }
  return plan;
}

}  // namespace bluegreen
