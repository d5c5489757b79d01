# What every target of ours has in common: warnings, sanitizers, and how a unit test is declared.

set(BLUEGREEN_SANITIZE "" CACHE STRING "Sanitizers for every target, as -fsanitize= takes them")

# Several build folders of one checkout share what they compiled, where ccache is installed: the
# folder's name is no part of the key.
find_program(BLUEGREEN_CCACHE ccache)
if(BLUEGREEN_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_NOHASHDIR=1 ${BLUEGREEN_CCACHE})
endif()

# NGINX's headers and third-party ones are SYSTEM includes: these warnings are about our code.
function(bluegreen_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                                           -Wnon-virtual-dtor -Werror)
endfunction()

if(BLUEGREEN_SANITIZE)
  add_compile_options(-fsanitize=${BLUEGREEN_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BLUEGREEN_SANITIZE})
  if(BLUEGREEN_SANITIZE MATCHES "thread")
    # It does not model fences. What they order in shm/ are atomics, so nothing is reported for it.
    add_compile_options(-Wno-tsan)
  endif()
endif()

# bluegreen_unit_test(NAME SOURCES... [LIBRARIES ...] [APART]): one Catch2 program, each of its cases
# a ctest of its own with the label `unit`. APART: its files use the same names for their own things.
function(bluegreen_unit_test name)
  cmake_parse_arguments(ARG "APART" "" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT BLUEGREEN_TESTS)
    return()
  endif()
  find_package(Catch2 2 REQUIRED)
  include(Catch)
  if(NOT TARGET bluegreen_catch_main)  # once: it is the slowest file of all
    add_library(bluegreen_catch_main OBJECT ${PROJECT_SOURCE_DIR}/tests/harness/catch_main.cpp)
    target_link_libraries(bluegreen_catch_main PRIVATE Catch2::Catch2)
    target_compile_features(bluegreen_catch_main PRIVATE cxx_std_20)
    bluegreen_warnings(bluegreen_catch_main)
  endif()
  add_executable(${name} ${ARG_SOURCES} $<TARGET_OBJECTS:bluegreen_catch_main>)
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} Catch2::Catch2)
  if(ARG_APART)
    set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  endif()
  target_compile_features(${name} PRIVATE cxx_std_20)
  bluegreen_warnings(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  catch_discover_tests(${name} TEST_PREFIX "${name}: " PROPERTIES LABELS unit TIMEOUT 60)
endfunction()
