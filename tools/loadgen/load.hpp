// The load itself: `clients` keep-alive connections, each with one request outstanding at a time
// (closed loop), on one epoll thread.
//
// What counts as what:
//   a connection that the server closes after a complete response, announced or not, is a
//     reconnect; the client looks for such a close before it sends again;
//   a connection that ends with a request outstanding is a failure: `closed` (no byte of the
//     response had come), `truncated` (some had), `reset`;
//   `refused` and `connect`: no connection could be made, tried again 10 ms later;
//   `timeout`: no complete response in time; `status`: not 2xx; `malformed`: not HTTP, or bytes
//     behind the response's end.
// Nothing is ever retried: one want of the client is one line of the record.
//
// Ends after `seconds`, or when a SIGTERM or SIGINT arrives (the caller has blocked them): no
// request is begun any more, those outstanding are waited for (each within its timeout) and count.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/loadgen/record.hpp"
#include "tools/loadgen/summary.hpp"

namespace bluegreen::loadgen {

struct LoadOptions {
  std::string host = "127.0.0.1";
  int port = 0;
  std::string path = "/";
  int clients = 16;
  std::string method = "GET";
  std::size_t body = 0;
  std::vector<std::string> headers;  // "Name: value"
  double seconds = 0;                // 0: until a signal
  double timeout = 10;
  std::string record;  // path, or empty
};

// The bytes of a request, the same for all.
std::string request_bytes(const LoadOptions& options);

// Runs the load to its end. Empty on success (failed requests are in the summary), else why it
// could not run or the record could not be written.
std::string run_load(const LoadOptions& options, Summary& summary);

}  // namespace bluegreen::loadgen
