// See the header.
#include "controller/deploy/moved_addresses.hpp"

#include <algorithm>
#include <cstring>

#include "controller/deploy/plan.hpp"

namespace bluegreen {
namespace {

bool same(const shm::Endpoint& one, const shm::Endpoint& other) {
  return one.identity == other.identity && one.family == other.family && one.port == other.port &&
         std::memcmp(one.address, other.address, sizeof(one.address)) == 0;
}

bool is_in(const shm::EndpointTable& table, const shm::Endpoint& endpoint) {
  return std::any_of(table.endpoints, table.endpoints + table.count,
                     [&endpoint](const shm::Endpoint& one) { return same(one, endpoint); });
}

}  // namespace

Result<std::size_t> publish_moved_addresses(ControlPort& control, Runtime& runtime,
                                            const std::string& app) {
  auto now = control.read(app);
  if (!now) {
    return tl::unexpected(now.error());
  }
  const Color active = now->route.active;
  const shm::EndpointTable& table = now->tables[shm::index_of(active)];
  if (table.count == 0) {
    return 0U;
  }
  auto found = runtime.endpoints(active);
  if (!found) {
    return tl::unexpected(found.error());
  }
  const bool right = found->size() == table.count &&
                     std::all_of(found->begin(), found->end(),
                                 [&table](const shm::Endpoint& one) { return is_in(table, one); });
  if (found->empty() || right) {
    return 0U;
  }
  const std::size_t count = found->size();
  const Labels labels = labels_of(table);
  auto published = control.publish(
      app, active, {labels.release, labels.image, labels.deploy_id, std::move(*found)});
  return published ? Result<std::size_t>(count) : tl::unexpected(published.error());
}

}  // namespace bluegreen
