// One HTTP/1.x response, parsed as its bytes arrive: just enough to know when it has ended, what
// it said, and whether the connection may be used again.
//
// Content-Length, chunked and until-close bodies; 1xx responses before the real one are skipped.
// Strict where leniency would hide a broken response: what does not parse is `kMalformed`, and
// bytes behind the end are the caller's to refuse (there is no pipelining here).
//
// Owned by one connection of the load (load.cpp); no I/O, no clock. Errors are values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bluegreen::loadgen {

class HttpResponse {
 public:
  enum class State : std::uint8_t { kMore, kDone, kMalformed };

  // Forgets the last response. `head_request`: the answer has no body whatever its header says.
  void reset(bool head_request = false);

  // Consumes bytes up to the response's end; `consumed` is how many.
  State feed(std::string_view bytes, std::size_t& consumed);

  // The peer has closed. kDone when the body was to last until then, else kMalformed.
  State finish();

  State state() const { return state_; }
  bool began() const { return began_; }  // at least one byte came
  int status() const { return status_; }
  bool keep_alive() const { return keep_alive_; }
  const std::string& color() const { return color_; }      // X-Color
  const std::string& release() const { return release_; }  // X-Release

 private:
  enum class Step : std::uint8_t {
    kHead,
    kLength,      // `left_` bytes of body
    kUntilClose,  // body ends with the connection
    kChunkSize,
    kChunkData,  // `left_` bytes of a chunk
    kChunkEnd,   // CRLF behind a chunk
    kTrailer,
    kEnd,
  };

  bool parse_head();
  bool parse_status_line(std::string_view line);
  bool parse_field(std::string_view line);
  bool begin_body();
  bool take_line(std::string_view bytes, std::size_t& consumed, bool& complete);
  bool parse_chunk_size();
  bool feed_head(std::string_view bytes, std::size_t& consumed);
  bool feed_line(std::string_view bytes, std::size_t& consumed);

  Step step_ = Step::kHead;
  State state_ = State::kMore;
  bool began_ = false;
  bool head_request_ = false;
  bool keep_alive_ = false;
  bool chunked_ = false;
  bool has_length_ = false;
  int status_ = 0;
  std::uint64_t left_ = 0;
  std::string text_;  // the head, or the present line of chunked coding
  std::string color_;
  std::string release_;
};

}  // namespace bluegreen::loadgen
