// What happened to one row of the facts.
#pragma once

#include <string>

#include "medidesk/store/v1/knowledge.pb.h"

namespace medidesk::store {

struct RowChange {
  v1::KnowledgeKind kind = v1::KNOWLEDGE_KIND_UNSPECIFIED;
  std::string key;  // empty for the hospital's settings
  v1::KnowledgeAction action = v1::KNOWLEDGE_ACTION_UNSPECIFIED;
};

}  // namespace medidesk::store
