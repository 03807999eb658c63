# Compiler, linker and cache settings shared by every target.

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Build folders share the cache: paths are hashed relative to the source tree, and
  # precompiled headers need the two sloppiness settings of ccache's manual.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()

find_program(MOLD mold)
find_program(LLD ld.lld)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND MOLD)
  add_link_options(-fuse-ld=mold)
elseif(LLD)
  add_link_options(-fuse-ld=lld)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-fpch-preprocess)  # ccache and gcc's precompiled headers
endif()

if(MEDIDESK_SANITIZE)
  add_compile_options(-fsanitize=${MEDIDESK_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MEDIDESK_SANITIZE})
  if(MEDIDESK_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      add_compile_options(-fno-sanitize=function)  # clang 14 cannot assemble its marks on coroutines
    endif()
  endif()
endif()

set(MEDIDESK_WARNINGS -Wall -Wextra -Werror -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 reports these falsely inside inlined library code and coroutine frames.
  list(APPEND MEDIDESK_WARNINGS -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds
    -Wno-mismatched-new-delete)
  if(MEDIDESK_SANITIZE STREQUAL "thread")
    list(APPEND MEDIDESK_WARNINGS -Wno-tsan)  # Asio's fences, which the sanitizer does not model
  endif()
endif()

if(MEDIDESK_FUZZ)
  # The libraries too: a fuzzer is blind in code that does not report its coverage.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
