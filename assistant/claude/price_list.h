// What the models' tokens cost, to estimate what answers cost. An estimate: discounts, surcharges of a region and
// dearer long prompts are not in it.
//
//   claude-haiku-5-5=0.10/0.50,claude-sonnet-5-5=2/10     US dollars for a million tokens in / out
//
// Of the input, tokens read from the prompt cache cost a tenth and tokens written to it (for an hour, as we
// ask) twice as much. Immutable.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "assistant/claude/messages.h"
#include "base/status.h"

namespace medidesk::assistant::claude {

class PriceList {
 public:
  PriceList() = default;
  // INVALID_ARGUMENT says what is wrong without quoting `text`. Empty: no prices.
  static absl::StatusOr<PriceList> Parse(std::string_view text);

  // Millionths of a US dollar; 0 for a model without a price.
  double MicroUsd(std::string_view model, const Usage& usage) const;

 private:
  struct Price {
    double in = 0, out = 0;  // US dollars for a million tokens, so millionths of a dollar for one
  };
  std::map<std::string, Price, std::less<>> prices_;
};

}  // namespace medidesk::assistant::claude
