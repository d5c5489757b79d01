// libcurl, loaded when the first command talks HTTP and never linked: it and its thirty libraries
// cost every start of a process 15 to 24 ms, and their symbol versions differ between
// distributions.
//
// load_curl opens libcurl.so.4 once and keeps it for the life of the process. It fails with one
// sentence that names the package to install. One thread. Only files of this folder include this.
#pragma once

#include <curl/curl.h>

#include <string>
#include <tl/expected.hpp>

namespace bluegreen {

// libcurl's functions that we use, under their own names.
struct CurlLibrary {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_perform) easy_perform;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
  decltype(&::curl_multi_init) multi_init;
  decltype(&::curl_multi_add_handle) multi_add_handle;
  decltype(&::curl_multi_remove_handle) multi_remove_handle;
  decltype(&::curl_multi_perform) multi_perform;
  decltype(&::curl_multi_poll) multi_poll;
  decltype(&::curl_multi_info_read) multi_info_read;
  decltype(&::curl_multi_cleanup) multi_cleanup;
};

tl::expected<const CurlLibrary*, std::string> load_curl();

// The same with another file name: for the test of a machine without libcurl.
tl::expected<CurlLibrary, std::string> load_curl_from(const char* file);

}  // namespace bluegreen
