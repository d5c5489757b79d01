# bluegreen_pytest(FILE LABEL): one pytest file as one ctest. Always Debian's interpreter: another
# one first on PATH (pyenv, a venv) lacks the packages that scripts/packages lists.
set(BLUEGREEN_PYTHON /usr/bin/python3 CACHE FILEPATH "The Python that runs the integration and end-to-end tests")

function(bluegreen_pytest file label)
  cmake_parse_arguments(ARG "SERIAL" "TIMEOUT" "" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  get_filename_component(name ${file} NAME_WE)
  add_test(NAME "${label}: ${name}"
           COMMAND ${BLUEGREEN_PYTHON} -m pytest -q -rs -p no:cacheprovider
                   ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set_tests_properties("${label}: ${name}" PROPERTIES
    LABELS ${label} TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL "$<BOOL:${ARG_SERIAL}>"
    ENVIRONMENT "BLUEGREEN_BIN=${CMAKE_BINARY_DIR}/bin;PYTHONPATH=${PROJECT_SOURCE_DIR}/tests;PYTHONDONTWRITEBYTECODE=1")
endfunction()
