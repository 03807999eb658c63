// PostgreSQL's text form of one-dimensional arrays, for the parameters of set-based statements.
// Source: PostgreSQL 15 documentation, section 8.15.6 (array input and output syntax).
#pragma once

#include <string>
#include <string_view>

namespace medidesk::store {

//   Add("a"), Add("b \"c\""), AddNull()   ->   {"a","b \"c\"",NULL}
class ArrayText {
 public:
  void Add(std::string_view element) {
    Separate();
    text_ += '"';
    for (const char c : element) {
      if (c == '"' || c == '\\') text_ += '\\';
      text_ += c;
    }
    text_ += '"';
  }
  void AddNull() {
    Separate();
    text_ += "NULL";
  }
  // An empty element is NULL.
  void AddOrNull(std::string_view element) { element.empty() ? AddNull() : Add(element); }

  // Ends the array; once.
  const std::string& Finish() {
    text_ += '}';
    return text_;
  }

 private:
  void Separate() {
    if (text_.size() > 1) text_ += ',';
  }

  std::string text_ = "{";
};

}  // namespace medidesk::store
