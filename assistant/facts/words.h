// Turns text into index words: folded, without stop words, stems for English, and the words of other
// languages and other wordings brought to one English word each (words_data.cc).
//
//   "¿Cuál es el horario de visita?"   ->  hour visit
//   "What are your VISITING hours??"   ->  visit hour
//
// Thread-safe, linear.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace medidesk::assistant {

// In the order of the text; a word may come more than once.
std::vector<std::string> IndexWords(std::string_view text);

// The index word of one folded word (as safety::Normalise gives it); "" for a stop word.
std::string IndexWord(std::string_view folded);

// How much a word tells about the subject of a question, against 1 of most words: "today" and "hospital" little.
double WordWeight(std::string_view index_word);

// Calls `visit` with every folded word that counts as a concept, and the concept.
void ForEachConceptWord(const std::function<void(const std::string& word, const std::string& name)>& visit);

// True when the word is in the tables: as a concept or as a stop word.
bool IsTableWord(std::string_view folded);

}  // namespace medidesk::assistant
