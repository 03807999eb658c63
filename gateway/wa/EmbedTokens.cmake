# cmake -DOUT=file.cc -DIN=tokens.txt -P EmbedTokens.cmake: the words as an array in the order of their bytes on the
# wire, 00 first as the empty word. Stops at a gap or a stray line.
file(STRINGS ${IN} lines)
set(text "")
set(count 0)
foreach(line IN LISTS lines)
  if(line MATCHES "^#")
    continue()
  endif()
  if(line MATCHES "^version ([0-9]+)$")
    set(text "const int kDictionaryVersion = ${CMAKE_MATCH_1};\n\nconst std::string_view kTokenTable[kTokens] = {\n    \"\",\n")
    set(count 1)
    continue()
  endif()
  if(NOT line MATCHES "^([0-9a-f]+) ([-0-9A-Za-z_:/.]+)$")
    message(FATAL_ERROR "tokens.txt: not `bytes word`: ${line}")
  endif()
  if(count LESS 236)
    math(EXPR expected "0x100 + ${count}" OUTPUT_FORMAT HEXADECIMAL)
    string(SUBSTRING ${expected} 3 -1 expected)
  else()
    math(EXPR expected "0x1ec00 + ${count} - 236" OUTPUT_FORMAT HEXADECIMAL)
    string(SUBSTRING ${expected} 3 -1 expected)
  endif()
  if(NOT CMAKE_MATCH_1 STREQUAL expected)
    message(FATAL_ERROR "tokens.txt: expected the word of ${expected}, found ${CMAKE_MATCH_1}")
  endif()
  string(APPEND text "    \"${CMAKE_MATCH_2}\",\n")
  math(EXPR count "${count} + 1")
endforeach()
if(NOT count EQUAL 1260)
  message(FATAL_ERROR "tokens.txt: 1259 words expected, the file ends after ${count} (the empty one included)")
endif()
file(WRITE ${OUT} "// Made from gateway/wa/tokens.txt by EmbedTokens.cmake.
#include \"gateway/wa/token_table.h\"

#include \"gateway/wa/token_dictionary.h\"

namespace medidesk::gateway::wa {

${text}};

}  // namespace medidesk::gateway::wa
")
