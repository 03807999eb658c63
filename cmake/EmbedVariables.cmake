# cmake -DOUT=file.cc -DDOCUMENT=docs/configuration.md -P EmbedVariables.cmake: the variables that the
# document's tables name, for `doctor`.
file(STRINGS ${DOCUMENT} lines REGEX "^\\| `")
string(REGEX MATCHALL "`[A-Z][A-Z0-9_]*`" names "${lines}")
list(REMOVE_DUPLICATES names)
string(REPLACE ";" ",\n    " rows "${names}")
string(REPLACE "`" "\"" rows "${rows}")
file(WRITE ${OUT} "// Made from docs/configuration.md by cmake/EmbedVariables.cmake.\n#include \"cli/doctor/checks.h\"\n\nnamespace medidesk::cli {\nnamespace {\n\nconstexpr std::string_view kVariables[] = {\n    ${rows}};\n\n}  // namespace\n\nstd::span<const std::string_view> DocumentedVariables() { return kVariables; }\n\n}  // namespace medidesk::cli\n")
