# cmake -DOUT=file.cc -DDIR=folder -P EmbedTables.cmake: the .txt files of a folder as byte arrays,
# in the order of their names with the English table first; texts.txt apart.
file(GLOB files ${DIR}/*.txt)
list(SORT files)
# English mixes with every language, so it is language 0.
list(REMOVE_ITEM files ${DIR}/en.txt)
list(PREPEND files ${DIR}/en.txt)
set(arrays "")
set(rows "")
set(count 0)
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND arrays "constexpr char kFile${count}[] = {${bytes}};\n")
  if(name STREQUAL "texts.txt")
    set(texts "{.name = \"tables/${name}\", .content = {kFile${count}, sizeof(kFile${count})}}")
  else()
    string(APPEND rows "    {.name = \"tables/${name}\", .content = {kFile${count}, sizeof(kFile${count})}},\n")
  endif()
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE ${OUT} "// Made from safety/tables by safety/EmbedTables.cmake.
#include \"safety/table.h\"

namespace medidesk::safety {
namespace {

${arrays}
constexpr TableSource kTables[] = {
${rows}};

}  // namespace

std::span<const TableSource> EmbeddedTables() { return kTables; }
TableSource EmbeddedTexts() { return ${texts}; }

}  // namespace medidesk::safety
")
