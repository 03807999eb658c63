// medidesk-cli: asks and changes a running MediDesk from the command line.
#include <iostream>

#include "cli/command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  return medidesk::cli::RunCommandLine(words, nullptr, std::cout, std::cerr);
}
