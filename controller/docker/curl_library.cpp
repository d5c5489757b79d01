// The table is filled by name; a libcurl that lacks one of them (older than 7.66) is refused whole.
#include "controller/docker/curl_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <memory>

// curl.h makes macros of two names.
#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace bluegreen {
namespace {

struct Unload {
  void operator()(void* library) const { ::dlclose(library); }
};

template <class Function>
bool find(void* library, const char* name, Function& out) {
  out = reinterpret_cast<Function>(::dlsym(library, name));
  return out != nullptr;
}

}  // namespace

tl::expected<CurlLibrary, std::string> load_curl_from(const char* file) {
  std::unique_ptr<void, Unload> library(::dlopen(file, RTLD_NOW | RTLD_LOCAL));
  if (!library) {
    const char* reason = ::dlerror();
    return tl::unexpected(fmt::format(
        "libcurl is needed to talk HTTP and cannot be loaded ({}); install the package libcurl4 "
        "(Debian, Ubuntu) or libcurl-minimal (Amazon Linux, Fedora)",
        reason == nullptr ? file : reason));
  }
  CurlLibrary out{};
  const char* missing = nullptr;
  const auto need = [&library, &missing](const char* name, auto& function) {
    if (!find(library.get(), name, function)) {
      missing = name;
    }
  };
  need("curl_global_init", out.global_init);
  need("curl_easy_init", out.easy_init);
  need("curl_easy_setopt", out.easy_setopt);
  need("curl_easy_perform", out.easy_perform);
  need("curl_easy_getinfo", out.easy_getinfo);
  need("curl_easy_strerror", out.easy_strerror);
  need("curl_easy_cleanup", out.easy_cleanup);
  need("curl_slist_append", out.slist_append);
  need("curl_slist_free_all", out.slist_free_all);
  need("curl_multi_init", out.multi_init);
  need("curl_multi_add_handle", out.multi_add_handle);
  need("curl_multi_remove_handle", out.multi_remove_handle);
  need("curl_multi_perform", out.multi_perform);
  need("curl_multi_poll", out.multi_poll);
  need("curl_multi_info_read", out.multi_info_read);
  need("curl_multi_cleanup", out.multi_cleanup);
  if (missing != nullptr) {
    return tl::unexpected(
        fmt::format("{} has no {}: libcurl 7.66 or newer is needed", file, missing));
  }
  if (out.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return tl::unexpected(fmt::format("{} cannot be initialised", file));
  }
  static_cast<void>(library.release());  // its functions are in use until the process ends
  return out;
}

tl::expected<const CurlLibrary*, std::string> load_curl() {
  static const auto loaded = load_curl_from("libcurl.so.4");
  if (!loaded) {
    return tl::unexpected(loaded.error());
  }
  return &*loaded;
}

}  // namespace bluegreen
