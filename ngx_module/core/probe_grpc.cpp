// The writer and the parser of probe_grpc.hpp. Called by the prober, one thread.
#include "ngx_module/core/probe_grpc.hpp"

#include <cstring>

#include "ngx_module/core/bounded_writer.hpp"

namespace bluegreen::core {

namespace {

enum FrameType : unsigned { kData = 0, kHeaders = 1, kReset = 3, kGoAway = 7, kContinuation = 9 };
enum FrameFlag : unsigned { kEndStream = 1, kEndHeaders = 4, kPadded = 8, kPriority = 32 };

constexpr std::size_t kLargestFrame = 16384;  // ours is the default limit
constexpr std::string_view kPath = "/grpc.health.v1.Health/Check";

void put_frame_head(BoundedWriter& out, std::size_t length, unsigned type, unsigned flags,
                    unsigned stream) noexcept {
  out.put(static_cast<char>(length >> 16));
  out.put(static_cast<char>(length >> 8));
  out.put(static_cast<char>(length));
  out.put(static_cast<char>(type));
  out.put(static_cast<char>(flags));
  out.text({"\0\0\0", 3});
  out.put(static_cast<char>(stream));
}

// HPACK's integer after a prefix of 7 bits, which is all zero otherwise.
void put_string(BoundedWriter& out, std::string_view text) noexcept {
  if (text.size() < 127) {
    out.put(static_cast<char>(text.size()));
  } else {
    out.put(127);
    std::size_t rest = text.size() - 127;
    for (; rest >= 128; rest /= 128) {
      out.put(static_cast<char>(rest % 128 + 128));
    }
    out.put(static_cast<char>(rest));
  }
  out.text(text);
}

void put_fields(BoundedWriter& out, const ProbeSettings& settings,
                std::string_view authority) noexcept {
  out.put(static_cast<char>(0x83));                        // :method POST
  out.put(static_cast<char>(settings.ssl ? 0x87 : 0x86));  // :scheme https, http
  out.put(4);                                              // :path, literal
  put_string(out, kPath);
  out.put(1);  // :authority, literal
  put_string(out, settings.host.empty() ? authority : settings.host);
  out.text("\x0f\x10");  // content-type (31), literal
  put_string(out, "application/grpc");
  out.put(0);
  put_string(out, "te");
  put_string(out, "trailers");
  out.text("\x0f\x2b");  // user-agent (58), literal
  put_string(out, "bluegreen-probe");
}

// HealthCheckRequest { string service = 1; } behind gRPC's prefix.
void put_message(BoundedWriter& out, std::string_view service) noexcept {
  const std::size_t size =
      service.empty() ? 0 : 1 + (service.size() < 128 ? 1 : 2) + service.size();
  out.text({"\0\0\0", 3});
  out.put(static_cast<char>(size >> 8));
  out.put(static_cast<char>(size));
  if (service.empty()) {
    return;
  }
  out.put(0x0a);
  if (service.size() >= 128) {
    out.put(static_cast<char>(service.size() % 128 + 128));
    out.put(static_cast<char>(service.size() / 128));
  } else {
    out.put(static_cast<char>(service.size()));
  }
  out.text(service);
}

// Reads HPACK; once something is cut off or makes no sense nothing more comes.
class FieldReader {
 public:
  explicit FieldReader(std::string_view block) noexcept : rest_(block) {}

  bool has_more() const noexcept { return !rest_.empty(); }
  unsigned peek() const noexcept { return static_cast<unsigned char>(rest_.front()); }

  std::uint32_t number(unsigned prefix_bits) noexcept {
    const unsigned mask = (1U << prefix_bits) - 1;
    std::uint32_t value = take() & mask;
    if (value < mask) {
      return value;
    }
    for (unsigned shift = 0; shift <= 21 && has_more(); shift += 7) {
      const unsigned byte = take();
      value += (byte & 127) << shift;
      if (byte < 128) {
        return value;
      }
    }
    rest_ = {};
    return 0;
  }

  std::string_view string(bool& huffman) noexcept {
    huffman = has_more() && (peek() & 128) != 0;
    const std::uint32_t size = has_more() ? number(7) : 0;
    const std::string_view text = rest_.substr(0, size);
    rest_ = size <= rest_.size() ? rest_.substr(size) : std::string_view();
    return text;
  }

 private:
  unsigned take() noexcept {
    const unsigned byte = peek();
    rest_.remove_prefix(1);
    return byte;
  }

  std::string_view rest_;
};

// A number in decimal digits, by HPACK's code for digits (appendix B) or plain; -1 for anything
// else. 0 to 2 are 00000 to 00010, 3 to 9 are 011001 to 011111; ones fill the last byte.
std::int32_t digits(std::string_view text, bool huffman) noexcept {
  std::int32_t value = 0;
  std::size_t count = 0;
  const auto add = [&](unsigned digit) {
    value = value * 10 + static_cast<std::int32_t>(digit);
    ++count;
  };
  if (!huffman) {
    for (const char c : text) {
      if (c < '0' || c > '9' || count == 4) {
        return -1;
      }
      add(static_cast<unsigned>(c - '0'));
    }
    return count != 0 ? value : -1;
  }
  const std::size_t bits = text.size() * 8;
  const auto read = [&](std::size_t at, unsigned length) {
    unsigned code = 0;
    for (std::size_t i = at; i < at + length; ++i) {
      const unsigned bit =
          i < bits ? static_cast<unsigned char>(text[i / 8]) >> (7 - i % 8) & 1U : 1U;
      code = code * 2 + bit;
    }
    return code;
  };
  for (std::size_t at = 0; at + 5 <= bits && count <= 4;) {
    const unsigned five = read(at, 5);
    const unsigned six = read(at, 6);
    if (five <= 2) {
      add(five);
      at += 5;
    } else if (six >= 25 && six <= 31 && at + 6 <= bits) {
      add(six - 22);
      at += 6;
    } else {
      return five == 31 && bits - at < 8 && count != 0 ? value : -1;
    }
  }
  return count != 0 && count <= 4 ? value : -1;
}

bool is_grpc_status(std::string_view name, bool huffman) noexcept {
  return name == (huffman ? std::string_view("\x9a\xca\xc8\xb2\x12\x34\xda\x8f") : "grpc-status");
}

// Of the static table: 8 to 14 are `:status` with these values.
constexpr std::int32_t kStaticStatus[] = {200, 204, 206, 304, 400, 404, 500};

constexpr std::string_view kServing[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};

constexpr std::string_view kGrpcCodes[] = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

}  // namespace

std::size_t write_grpc_request(const ProbeSettings& settings, std::string_view authority, char* out,
                               std::size_t size) noexcept {
  char block[1024];
  BoundedWriter fields(block, sizeof(block));
  put_fields(fields, settings, authority);
  char text[512];
  BoundedWriter message(text, sizeof(text));
  put_message(message, settings.service);
  if (fields.overflowed() || message.overflowed()) {
    return 0;
  }
  BoundedWriter request(out, size);
  request.text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  put_frame_head(request, 12, 4, 0, 0);
  request.text({"\0\x01\0\0\0\0\0\x02\0\0\0\0", 12});  // HEADER_TABLE_SIZE 0, ENABLE_PUSH 0
  put_frame_head(request, fields.needed(), kHeaders, kEndHeaders, 1);
  request.text({block, fields.needed()});
  put_frame_head(request, message.needed(), kData, kEndStream, 1);
  request.text({text, message.needed()});
  return request.overflowed() ? 0 : request.needed();
}

GrpcAnswer::State GrpcAnswer::fail(std::string_view what, std::string_view more) noexcept {
  BoundedWriter writer(error_, sizeof(error_) - 1);
  writer.text(what);
  writer.text(more);
  error_[writer.written().size()] = '\0';
  state_ = State::kFailed;
  return state_;
}

GrpcAnswer::State GrpcAnswer::feed(std::string_view bytes) noexcept {
  bytes_ += bytes.size();
  while (state_ == State::kMore && !bytes.empty()) {
    if (head_size_ < sizeof(head_)) {
      head_[head_size_++] = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
      if (head_size_ == sizeof(head_)) {
        begin_frame();
      }
    } else {
      const std::size_t part = bytes.size() < left_ ? bytes.size() : left_;
      const std::size_t room = sizeof(payload_) - kept_;
      const std::size_t keep = part < room ? part : room;
      std::memcpy(payload_ + kept_, bytes.data(), keep);
      kept_ += keep;
      left_ -= part;
      bytes.remove_prefix(part);
    }
    if (state_ == State::kMore && head_size_ == sizeof(head_) && left_ == 0) {
      end_frame();
      head_size_ = 0;
    }
  }
  if (state_ == State::kMore && bytes_ > kMostGrpcBytes) {
    return fail("more than 64 KB without an end of the call");
  }
  return state_;
}

GrpcAnswer::State GrpcAnswer::close() noexcept {
  if (state_ != State::kMore) {
    return state_;
  }
  return fail(bytes_ == 0 ? "closed without an answer" : "closed before the end of the call");
}

void GrpcAnswer::begin_frame() noexcept {
  left_ = std::size_t{head_[0]} << 16 | std::size_t{head_[1]} << 8 | head_[2];
  if (std::memcmp(head_, "HTTP/", 5) == 0) {
    fail("the answer is HTTP/1, expected HTTP/2");
  } else if (left_ > kLargestFrame) {
    fail("not an answer in HTTP/2");
  } else if (head_[3] != kContinuation) {
    kept_ = 0;  // a continuation is read as the end of the block before it
  }
}

// Without the padding and the priority that a frame may have.
std::string_view GrpcAnswer::unpadded(std::string_view payload) const noexcept {
  const unsigned flags = head_[4];
  if ((flags & kPadded) != 0 && !payload.empty()) {
    const std::size_t pad = static_cast<unsigned char>(payload.front());
    payload.remove_prefix(1);
    payload.remove_suffix(pad < payload.size() ? pad : payload.size());
  }
  if (head_[3] == kHeaders && (flags & kPriority) != 0) {
    payload.remove_prefix(payload.size() < 5 ? payload.size() : 5);
  }
  return payload;
}

void GrpcAnswer::end_frame() noexcept {
  const unsigned type = head_[3];
  const unsigned flags = head_[4];
  const bool ours = head_[8] == 1 && head_[7] == 0 && head_[6] == 0 && (head_[5] & 127) == 0;
  if (type == kGoAway) {
    fail("the connection was ended (GOAWAY)");
    return;
  }
  if (!ours) {
    return;
  }
  if (type == kReset) {
    fail("the call was reset");
    return;
  }
  if (type == kData) {
    take_data(unpadded({payload_, kept_}));
    ends_ = (flags & kEndStream) != 0;
  } else if (type == kHeaders) {
    const std::string_view block = unpadded({payload_, kept_});
    std::memmove(payload_, block.data(), block.size());
    kept_ = block.size();
    ends_ = (flags & kEndStream) != 0;
  }
  const bool fields = type == kHeaders || type == kContinuation;
  const bool whole = (flags & kEndHeaders) != 0;
  if (fields && whole) {
    take_fields({payload_, kept_});
    kept_ = 0;
  }
  if (ends_ && (!fields || whole)) {
    end_stream();
  }
}

void GrpcAnswer::take_fields(std::string_view block) noexcept {
  FieldReader reader(block);
  while (reader.has_more()) {
    const unsigned first = reader.peek();
    if ((first & 128) != 0) {
      const std::uint32_t index = reader.number(7);
      if (index >= 8 && index <= 14) {
        http_status_ = kStaticStatus[index - 8];
      }
      continue;
    }
    if ((first & 0xe0) == 0x20) {
      reader.number(5);  // the size of the table
      continue;
    }
    const std::uint32_t index = reader.number((first & 64) != 0 ? 6 : 4);
    bool coded_name = false;
    const std::string_view name = index == 0 ? reader.string(coded_name) : std::string_view();
    bool coded = false;
    const std::string_view value = reader.string(coded);
    if (index >= 8 && index <= 14) {
      http_status_ = digits(value, coded);
    } else if (index == 0 && is_grpc_status(name, coded_name)) {
      grpc_status_ = digits(value, coded);
    }
  }
}

void GrpcAnswer::take_data(std::string_view data) noexcept {
  const std::size_t room = sizeof(message_) - message_size_;
  const std::size_t part = data.size() < room ? data.size() : room;
  std::memcpy(message_ + message_size_, data.data(), part);
  message_size_ += part;
}

// The message is HealthCheckResponse { ServingStatus status = 1; }: 0x08 and the value, or nothing
// for UNKNOWN.
void GrpcAnswer::end_stream() noexcept {
  char number[16];
  BoundedWriter text(number, sizeof(number));
  if (http_status_ != 200) {
    text.number(static_cast<std::uint64_t>(http_status_ < 0 ? 0 : http_status_));
    fail("HTTP status ", {number, text.needed()});
    return;
  }
  if (grpc_status_ != 0) {
    const bool known = grpc_status_ > 0 && grpc_status_ <= 16;
    fail("grpc-status ", known ? kGrpcCodes[grpc_status_] : "missing or not a known one");
    return;
  }
  if (message_size_ < 5 || message_[0] != 0) {
    fail(message_size_ < 5 ? "no message in the answer" : "a compressed message in the answer");
    return;
  }
  unsigned serving = 0;
  if (message_size_ > 5) {
    serving = message_[5] == 8 && message_size_ > 6 ? static_cast<unsigned char>(message_[6]) : 255;
  }
  if (serving == 1) {
    state_ = State::kComplete;
    return;
  }
  fail("the service says ", serving < 4 ? kServing[serving] : "something unknown");
}

}  // namespace bluegreen::core
