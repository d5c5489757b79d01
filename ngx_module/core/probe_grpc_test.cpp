// The answers of gRPC servers, byte by byte: right, refusing, broken and endless.
#include "ngx_module/core/probe_grpc.hpp"

#include <string>

#include "catch2/catch.hpp"

namespace {

using namespace bluegreen;

using GrpcState = core::GrpcAnswer::State;

std::string grpc_frame(char type, char flags, const std::string& payload, char stream = 1) {
  std::string out;
  out += static_cast<char>(payload.size() >> 16);
  out += static_cast<char>(payload.size() >> 8);
  out += static_cast<char>(payload.size());
  out += type;
  out += flags;
  out += std::string("\0\0\0", 3) + stream;
  return out + payload;
}

const std::string kSettingsFrame = grpc_frame(4, 0, "", 0) + grpc_frame(4, 1, "", 0);
const std::string kStatus200 = "\x88";
// grpc-status as grpc-go, grpc-core and Java write it: literal, name and value coded or plain.
const std::string kStatusOk = std::string("\x40\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x81\x07", 12);
const std::string kPlainOk = std::string(
    "\0\x0bgrpc-status\x01"
    "0",
    15);

std::string grpc_message(const std::string& bytes) {
  return std::string("\0\0\0\0", 4) + static_cast<char>(bytes.size()) + bytes;
}

std::string grpc_answer(const std::string& message, const std::string& trailers = kStatusOk) {
  return kSettingsFrame + grpc_frame(1, 4, kStatus200) + grpc_frame(0, 0, grpc_message(message)) +
         grpc_frame(1, 5, trailers);
}

std::string fault_of(const std::string& bytes) {
  core::GrpcAnswer answer;
  GrpcState state = answer.feed(bytes);
  if (state == GrpcState::kMore) {
    state = answer.close();
  }
  return state == GrpcState::kComplete ? "" : answer.error();
}

}  // namespace

TEST_CASE("A gRPC service that says SERVING is up, however its answer is cut") {
  for (const std::string& trailers : {kStatusOk, kPlainOk}) {
    const std::string bytes = grpc_answer("\x08\x01", trailers);
    CHECK(fault_of(bytes).empty());
    core::GrpcAnswer answer;
    for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
      REQUIRE(answer.feed(bytes.substr(i, 1)) == GrpcState::kMore);
    }
    CHECK(answer.feed(bytes.substr(bytes.size() - 1)) == GrpcState::kComplete);
    CHECK(answer.status() == 0);
  }
  // Padded frames, a priority, and a block of fields in two frames.
  const std::string padded =
      std::string("\x02", 1) + grpc_message("\x08\x01") + std::string(2, '\0');
  CHECK(fault_of(grpc_frame(1, 4 + 32, "12345" + kStatus200) + grpc_frame(0, 8, padded) +
                 grpc_frame(1, 1, kStatusOk.substr(0, 5)) + grpc_frame(9, 4, kStatusOk.substr(5)))
            .empty());
}

TEST_CASE("A gRPC service that is not serving says what it says") {
  CHECK(fault_of(grpc_answer("\x08\x02")) == "the service says NOT_SERVING");
  CHECK(fault_of(grpc_answer("\x08\x03")) == "the service says SERVICE_UNKNOWN");
  CHECK(fault_of(grpc_answer("")) == "the service says UNKNOWN");
  CHECK(fault_of(grpc_answer("\x10\x01")) == "the service says something unknown");
  // Trailers alone: an error of the call. 12 coded: 00001 00010, then ones.
  const std::string name = std::string("\x40\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f", 10);
  const std::string unimplemented =
      grpc_frame(1, 5, kStatus200 + name + std::string("\x82\x08\xbf", 3));
  core::GrpcAnswer answer;
  CHECK(answer.feed(unimplemented) == GrpcState::kFailed);
  CHECK(answer.error() == std::string("grpc-status UNIMPLEMENTED"));
  CHECK(answer.status() == 12);
  CHECK(fault_of(grpc_frame(1, 5,
                            kStatus200 + name +
                                "\x01"
                                "5")) == "grpc-status NOT_FOUND");
  CHECK(fault_of(grpc_frame(1, 5, kStatus200)) == "grpc-status missing or not a known one");
  CHECK(fault_of(grpc_frame(1, 5,
                            std::string("\x08\x03"
                                        "503"))) == "HTTP status 503");
  CHECK(fault_of(grpc_frame(1, 5, std::string("\x8d"))) == "HTTP status 404");
  CHECK(fault_of(grpc_frame(1, 4, kStatus200) + grpc_frame(1, 5, kStatusOk)) ==
        "no message in the answer");
}

TEST_CASE("What is no answer in HTTP/2 is said so, and never read without end") {
  CHECK(fault_of("") == "closed without an answer");
  CHECK(fault_of(kSettingsFrame) == "closed before the end of the call");
  CHECK(fault_of("HTTP/1.1 400 Bad Request\r\n\r\n") == "the answer is HTTP/1, expected HTTP/2");
  CHECK(fault_of("SSH-2.0-OpenSSH_9.2\r\n") == "not an answer in HTTP/2");
  CHECK(fault_of(grpc_frame(3, 0, std::string(4, '\0'))) == "the call was reset");
  CHECK(fault_of(grpc_frame(7, 0, std::string(8, '\0'), 0)) == "the connection was ended (GOAWAY)");
  core::GrpcAnswer answer;
  std::size_t fed = 0;
  while (answer.state() == GrpcState::kMore && fed < 1000000) {
    const std::string ping = grpc_frame(6, 0, std::string(8, '\0'), 0);
    answer.feed(ping);
    fed += ping.size();
  }
  CHECK(fed <= core::kMostGrpcBytes + 17);
  CHECK(answer.error() == std::string("more than 64 KB without an end of the call"));
  // Fields that are cut off, or claim more than there is.
  for (const char* const block : {"\x40", "\x40\x7f\xff", "\xff\xff\xff\xff\xff\xff", "\x0f"}) {
    CHECK_FALSE(fault_of(grpc_frame(1, 5, block)).empty());
  }
}

TEST_CASE("A gRPC probe's request names service and authority") {
  core::ProbeSettings settings;
  settings.type = core::ProbeType::kGrpc;
  settings.service = "shop.Cart";
  char bytes[2048];
  const std::size_t size =
      core::write_grpc_request(settings, "10.0.0.1:50051", bytes, sizeof(bytes));
  const std::string request(bytes, size);
  CHECK(request.substr(0, 24) == "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  CHECK(request.find("\x04\x1c/grpc.health.v1.Health/Check\x01\x0e"
                     "10.0.0.1:50051") != std::string::npos);
  CHECK(request.substr(size - 16) == std::string("\0\0\0\0\x0b\x0a\x09shop.Cart", 16));
  const std::string long_name(255, 's');
  settings.service = long_name;
  const std::size_t more = core::write_grpc_request(settings, long_name, bytes, sizeof(bytes));
  CHECK(std::string(bytes, more).substr(more - 263, 8) ==
        std::string("\0\0\0\x01\x02\x0a\xff\x01", 8));
  CHECK(core::write_grpc_request(settings, "a", bytes, 100) == 0);
}
