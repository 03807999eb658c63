# The five kinds of target this project has. Each lists its sources and what it links;
# includes are written from the repository root.

function(medidesk_own_target name)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${MEDIDESK_WARNINGS})
  target_compile_definitions(${name} PUBLIC BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_ARRAY)
endfunction()

# medidesk_library(name SOURCES a.cc ... LINK dep ...)
function(medidesk_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  medidesk_own_target(${name})
endfunction()

# medidesk_executable(name SOURCES main.cc ... LINK dep ...)
function(medidesk_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  medidesk_own_target(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# medidesk_benchmark(name SOURCES a_bench.cc LINK dep ...)
# A Google Benchmark program; only where figures mean something, so not under a sanitizer.
function(medidesk_benchmark name)
  if(MEDIDESK_SANITIZE)
    return()
  endif()
  medidesk_executable(${name} ${ARGN} benchmark::benchmark)
endfunction()

# Every unit test program: what the sanitizer builds need.
add_custom_target(medidesk_unit_tests)

# medidesk_test(name SOURCES a_test.cc ... LINK dep ... [LABELS label ...])
# One GoogleTest program; ctest runs it whole. Label `database` needs PostgreSQL's server programs.
function(medidesk_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest GTest::gtest_main)
  medidesk_own_target(${name})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_dependencies(medidesk_unit_tests ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "unit;${ARG_LABELS}"
    ENVIRONMENT "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/cmake/lsan.supp")
endfunction()

# medidesk_fuzz(name SOURCES a_fuzz.cc LINK dep ... [CORPUS dir])
# A libFuzzer target under the `fuzz` preset; ctest runs it for MEDIDESK_FUZZ_SECONDS (30).
function(medidesk_fuzz name)
  if(NOT MEDIDESK_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
  medidesk_own_target(${name})
  set(scratch ${CMAKE_BINARY_DIR}/corpus/${name})
  file(MAKE_DIRECTORY ${scratch})
  set(seconds 30)
  if(DEFINED ENV{MEDIDESK_FUZZ_SECONDS})
    set(seconds $ENV{MEDIDESK_FUZZ_SECONDS})
  endif()
  add_test(NAME ${name} COMMAND ${name} -max_total_time=${seconds} -rss_limit_mb=1024 -timeout=10 ${scratch} ${ARG_CORPUS}
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 100000 LABELS fuzz)
endfunction()
