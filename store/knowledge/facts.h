// The facts of one hospital in memory, their normal form and the rules they obey, wherever they come from:
// a hospital file, an RPC or the database.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "medidesk/store/v1/knowledge.pb.h"

namespace medidesk::store {

// The answer of GetFacts is the facts; `revision` and `unchanged` play no part here.
using Facts = v1::GetFactsResponse;

// Most rows of each kind, and most bytes of all facts as a protobuf message and as a file.
inline constexpr int kMaxDepartments = 500;
inline constexpr int kMaxDoctors = 5000;
inline constexpr int kMaxFaqs = 5000;
inline constexpr int kMaxVisitingHours = 200;
inline constexpr std::size_t kMaxFactsBytes = (4u << 20) - (64u << 10);  // fits gRPC's default message limit
inline constexpr std::size_t kMaxFileBytes = (4u << 20) - (4u << 10);    // and that with what surrounds it

// One rule that is broken.
struct FactProblem {
  std::string path;  // the field, as "doctors[3].roster"; the index is that of the row in the message
  std::string text;  // what was expected and what to write; never quotes the value
};

// Takes spaces around every text of the row, and carriage returns, away.
void TrimTexts(google::protobuf::Message* row);
// Brings a row into normal form: TrimTexts, then spans, roster entries and holidays in their order.
void NormalizeRow(google::protobuf::Message* row);
// NormalizeRow on each row, then rows sorted by key.
void NormalizeFacts(Facts* facts);

// Every broken rule, in the order of the message; empty when the facts are good. Rows are checked by
// themselves and against each other (keys, departments, languages, link hosts). Expects trimmed
// texts; order does not matter. At most 1,000 problems.
std::vector<FactProblem> CheckFacts(const Facts& facts);

// True for a key: 1 to 64 characters of a-z, 0-9, - and _, beginning with a letter or a digit.
bool IsKnowledgeKey(const std::string& text);

}  // namespace medidesk::store
