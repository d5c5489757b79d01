# Headers of the NGINX that the module is built for, with the ngx_auto_config.h that its own
# ./configure writes: a module must agree with it in every optional field.
#
#   default             the installed nginx-dev: /usr/share/nginx/src, arguments in its conf_flags
#   NGINX_SOURCE_DIR    a plain source tree (release or checkout), arguments NGINX_CONFIGURE_ARGS
#
# The tree is copied into the build folder and configured there, once: a stamp names what it was
# made from. Sets BLUEGREEN_NGINX_INCLUDES.
set(NGINX_CONFIGURE_ARGS "" CACHE STRING
  "Arguments of ./configure for NGINX_SOURCE_DIR, as `nginx -V` prints them (default: --with-compat and what Debian has)")

set(nginx_tree ${CMAKE_CURRENT_BINARY_DIR}/nginx)
if(NGINX_SOURCE_DIR)
  set(nginx_source ${NGINX_SOURCE_DIR})
  set(nginx_arguments "${NGINX_CONFIGURE_ARGS}")
  if(NOT nginx_arguments)
    set(nginx_arguments "--with-compat --with-threads --with-http_ssl_module --with-http_v2_module --with-http_realip_module --with-http_auth_request_module")
  endif()
  set(nginx_run "eval \"set -- $BLUEGREEN_ARGS\"")
else()
  set(nginx_source /usr/share/nginx/src)
  set(nginx_arguments "conf_flags")
  set(nginx_run "source ./conf_flags; set -- \"\${NGX_CONF_FLAGS[@]}\"")
  if(NOT EXISTS ${nginx_source}/conf_flags)
    message(FATAL_ERROR "No NGINX headers: ${nginx_source}/conf_flags is not there. Install nginx-dev, or give -DNGINX_SOURCE_DIR=<source tree> (expected: a tree with src/core/nginx.h and auto/)")
  endif()
endif()
if(NOT EXISTS ${nginx_source}/src/core/nginx.h OR NOT EXISTS ${nginx_source}/auto/options)
  message(FATAL_ERROR "NGINX_SOURCE_DIR=${nginx_source} is no NGINX source tree: expected src/core/nginx.h and auto/options in it")
endif()

file(STRINGS ${nginx_source}/src/core/nginx.h nginx_version_line REGEX "define nginx_version ")
string(REGEX MATCH "[0-9]+" nginx_version_number "${nginx_version_line}")
if(NOT nginx_version_number OR nginx_version_number LESS 1022000)
  message(FATAL_ERROR "${nginx_source}/src/core/nginx.h has \"${nginx_version_line}\": expected NGINX 1.22.0 (1022000) or newer")
endif()

file(SHA256 ${nginx_source}/src/core/nginx.h nginx_version_hash)
set(nginx_stamp "${nginx_source}|${nginx_arguments}|${nginx_version_hash}")
set(nginx_old "")
if(EXISTS ${nginx_tree}/bluegreen.stamp)
  file(READ ${nginx_tree}/bluegreen.stamp nginx_old)
endif()
if(NOT nginx_old STREQUAL nginx_stamp)
  message(STATUS "Configuring NGINX's headers from ${nginx_source}")
  file(REMOVE_RECURSE ${nginx_tree})
  file(MAKE_DIRECTORY ${nginx_tree})
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env "BLUEGREEN_ARGS=${nginx_arguments}" bash -c
      "set -e; cp -R '${nginx_source}/.' . && chmod -R u+w . && rm -rf objs .git && ${nginx_run}; if test -f configure; then sh ./configure \"$@\"; else sh auto/configure \"$@\"; fi"
    WORKING_DIRECTORY ${nginx_tree}
    RESULT_VARIABLE nginx_result OUTPUT_VARIABLE nginx_output ERROR_VARIABLE nginx_output)
  if(NOT nginx_result EQUAL 0 OR NOT EXISTS ${nginx_tree}/objs/ngx_auto_config.h)
    message(FATAL_ERROR "NGINX's ./configure failed in ${nginx_tree} (${nginx_result}):\n${nginx_output}")
  endif()
  file(WRITE ${nginx_tree}/bluegreen.stamp "${nginx_stamp}")
endif()

set(BLUEGREEN_NGINX_INCLUDES "")
foreach(folder objs src/core src/event src/event/modules src/event/quic src/os/unix src/http
               src/http/modules src/http/v2 src/http/v3)
  if(IS_DIRECTORY ${nginx_tree}/${folder})
    list(APPEND BLUEGREEN_NGINX_INCLUDES ${nginx_tree}/${folder})
  endif()
endforeach()
