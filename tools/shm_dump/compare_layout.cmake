# Fails when the committed layout page differs from what the built shm_dump prints.
execute_process(COMMAND ${SHM_DUMP} --layout OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)
file(READ ${PAGE} committed)
if(NOT printed STREQUAL committed)
  message(FATAL_ERROR "${PAGE} is not the layout of this build: a change of the layout is a change "
                      "of the ABI. If it is meant: ${SHM_DUMP} --layout > ${PAGE}")
endif()
