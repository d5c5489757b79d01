# Makes status_page.hpp of status.html: the text, and the policy that allows its own style and script
# and nothing else. Run by the build: cmake -DPAGE=... -DHEADER=... -P EmbedPage.cmake
# Fails when the page is not what the policy can describe: one style, one script, no attribute of either.
file(READ "${PAGE}" page)
string(LENGTH "${page}" size)
if(size GREATER 40960)
  message(FATAL_ERROR "${PAGE}: ${size} bytes, expected at most 40960")
endif()
if(page MATCHES "<[^>]* (style|on[a-z]+)=")
  message(FATAL_ERROR "${PAGE}: \"${CMAKE_MATCH_0}\", expected no style or handler in a tag: the policy forbids it")
endif()

# What stands between <tag> and </tag>, hashed as a browser does it: SHA-256, in base64.
function(hash_of tag result)
  string(FIND "${page}" "<${tag}>" begin)
  string(FIND "${page}" "<${tag}>" last REVERSE)
  string(FIND "${page}" "</${tag}>" end)
  if(begin EQUAL -1 OR NOT begin EQUAL last OR end LESS begin)
    message(FATAL_ERROR "${PAGE}: expected exactly one <${tag}> element")
  endif()
  string(LENGTH "<${tag}>" open)
  math(EXPR begin "${begin} + ${open}")
  math(EXPR length "${end} - ${begin}")
  string(SUBSTRING "${page}" ${begin} ${length} text)
  string(SHA256 hex "${text}")
  base64_of("${hex}" hash)
  set(${result} "sha256-${hash}" PARENT_SCOPE)
endfunction()

# CMake has no base64: three bytes, six hexadecimal digits, are four letters. 32 bytes leave one "=".
function(base64_of hex result)
  set(letters ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(text "")
  foreach(i RANGE 0 63 3)
    string(SUBSTRING "${hex}00" ${i} 3 three)
    math(EXPR value "0x${three}")
    math(EXPR high "${value} >> 6")
    math(EXPR low "${value} & 63")
    string(SUBSTRING ${letters} ${high} 1 first)
    string(SUBSTRING ${letters} ${low} 1 second)
    string(APPEND text ${first}${second})
  endforeach()
  string(SUBSTRING "${text}" 0 43 text)
  set(${result} "${text}=" PARENT_SCOPE)
endfunction()

hash_of(style style)
hash_of(script script)
set(policy "default-src 'none'; style-src '${style}'; script-src '${script}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")

# Pieces: a compiler need not take a literal of more than 65536 characters, and older ones take less.
set(pieces "")
set(at 0)
while(at LESS size)
  string(SUBSTRING "${page}" ${at} 8000 piece)
  string(LENGTH "${piece}" length)
  string(APPEND pieces "\n    R\"bluegreen(${piece})bluegreen\"")
  math(EXPR at "${at} + ${length}")
endwhile()
file(WRITE "${HEADER}" "// Made by EmbedPage.cmake of status.html; the status handler serves it. Do not edit.
#pragma once

#include <string_view>

namespace bluegreen::core {

inline constexpr std::string_view kStatusPage =${pieces};

inline constexpr std::string_view kStatusPagePolicy =
    \"${policy}\";

}  // namespace bluegreen::core
")
