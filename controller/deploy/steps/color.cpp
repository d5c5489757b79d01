// See color.hpp.
#include "controller/deploy/steps/color.hpp"

namespace bluegreen {

Result<void> withdraw_endpoints(ControlPort& control, const std::string& app, Color color,
                                const Labels& labels) {
  auto now = control.read(app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  if (now->route.active == color) {
    return fail(ExitCode::kUsage,
                std::string(shm::name_of(color)) + " is active: its endpoints are not withdrawn");
  }
  const shm::EndpointTable& table = now->tables[shm::index_of(color)];
  const Labels present = labels_of(table);
  const bool same_labels = present.release == labels.release && present.image == labels.image &&
                           present.deploy_id == labels.deploy_id;
  if (table.count != 0 || !same_labels) {
    auto published =
        control.publish(app, color, {labels.release, labels.image, labels.deploy_id, {}});
    if (!published) {
      return tl::unexpected(published.error());
    }
  }
  // A publication opens the color; nothing is there to be opened for.
  auto closed = control.close(app, color);
  return closed ? Result<void>{} : tl::unexpected(closed.error());
}

namespace {

template <class Items>
std::string join_identities(const Items& items) {
  std::string joined;
  for (const auto& item : items) {
    joined += (joined.empty() ? "" : ",") + std::to_string(item.identity);
  }
  return joined;
}

}  // namespace

std::string identities_of(const std::vector<shm::Endpoint>& endpoints) {
  return join_identities(endpoints);
}

std::string identities_of(const std::vector<Instance>& instances) {
  return join_identities(instances);
}

std::string kept_in_force(ControlPort& control, const shm::AppSnapshot& now) {
  std::string text;
  if (const auto left = control.hold_left(now); left.count() > 0) {
    text = "requests are held for " +
           std::to_string(std::chrono::ceil<std::chrono::seconds>(left).count()) +
           " s more (`bgctl release` lets them go)";
  }
  if (now.route.has(shm::kMaintenance)) {
    text += text.empty() ? "" : ", ";
    text += "maintenance is on (`bgctl maintenance off` ends it)";
  }
  return text;
}

}  // namespace bluegreen
