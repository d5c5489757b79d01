// A probe by gRPC's health protocol (grpc.health.v1.Health/Check): the request that is sent, and
// the answer, taken in piece by piece. As much of HTTP/2 (RFC 9113) and HPACK (RFC 7541) as one
// call over a fresh connection needs:
//
//   preface, SETTINGS (no header table, no push), HEADERS and DATA of stream 1, all at once; then
//   frames of 9 bytes (length 24, type 8, flags 8, stream 32 bits) and their payload are read until
//   stream 1 ends. Nothing is acknowledged: the connection is closed before anybody minds.
//
// With a header table of 0 bytes the answer's fields are static or literal; of these only `:status`
// and `grpc-status` count. The answer may be hostile: kKeptPayload bytes of a frame are looked at,
// kMostGrpcBytes are read.
//
// Called by the prober, one thread. No NGINX, no memory of its own, no clock. Fails by error().
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ngx_module/core/probe_settings.hpp"

namespace bluegreen::core {

inline constexpr std::size_t kKeptPayload = 512;
inline constexpr std::uint64_t kMostGrpcBytes = 65536;

// Writes what is sent; `authority` when the settings have no host. Returns its size, 0 when it does
// not fit.
std::size_t write_grpc_request(const ProbeSettings& settings, std::string_view authority, char* out,
                               std::size_t size) noexcept;

class GrpcAnswer {
 public:
  enum class State : std::uint8_t { kMore, kComplete, kFailed };

  // kComplete: the service says that it is SERVING.
  State feed(std::string_view bytes) noexcept;
  // The backend has closed its side.
  State close() noexcept;

  State state() const noexcept { return state_; }
  const char* error() const noexcept { return error_; }  // of kFailed
  std::uint32_t status() const noexcept {
    return grpc_status_ < 0 ? 0 : static_cast<std::uint32_t>(grpc_status_);
  }

 private:
  State fail(std::string_view what, std::string_view more = {}) noexcept;
  void begin_frame() noexcept;
  void end_frame() noexcept;
  void take_fields(std::string_view block) noexcept;
  void take_data(std::string_view data) noexcept;
  void end_stream() noexcept;
  std::string_view unpadded(std::string_view payload) const noexcept;

  std::uint64_t bytes_ = 0;
  std::size_t head_size_ = 0;  // of head_
  std::size_t left_ = 0;       // of the frame's payload
  std::size_t kept_ = 0;       // of payload_
  std::size_t message_size_ = 0;
  std::int32_t http_status_ = -1;
  std::int32_t grpc_status_ = -1;
  State state_ = State::kMore;
  bool ends_ = false;  // the block of fields that is under way is the stream's last
  unsigned char head_[9] = {};
  char message_[16] = {};  // its first bytes: prefix of 5, then a HealthCheckResponse
  char payload_[kKeptPayload] = {};
  char error_[96] = {};
};

}  // namespace bluegreen::core
