#include "safety/language.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "safety/normalise.h"

namespace medidesk::safety {
namespace {

constexpr std::size_t kMaxBytes = 4'096;  // enough to know a language by
constexpr double kHint = 0.3;             // what the hint weighs, in words

struct Language {
  std::string_view tag;
  std::string_view words;  // frequent, and rare in the others; folded by Normalise before use
};

constexpr std::array<Language, 5> kLatin = {{
    {"en",
     "the is are was my your you i im can cant could would should what when where which who how do does did have has "
     "had need want and with for at of in on this that it its there please hello hi thanks thank today tomorrow doctor "
     "appointment hours am not dont no be been will he she they we his her him our from or but if time next any get "
     "hospital pain help open book see an to me a"},
    {"es",
     "el la los las un una unos es son esta estan mi su tu yo que cuando donde cual quien como puedo puede quiero "
     "necesito tengo tiene hay y con para por de del en al esto hola gracias hoy manana cita medico horario muy mas "
     "pero si no me le se lo duele dolor hijo hija madre padre pecho ayuda buenos buenas dias tardes favor estoy usted "
     "hora respirar sangre cuanto cuesta consulta ustedes esposo esposa bebe a voy va estoy mucho mucha solo"},
    {"pt",
     "o a os as um uma e sao esta meu minha seu sua eu voce que quando onde qual quem como posso pode quero preciso "
     "tenho tem ha com para por de do da dos das em no na ao isto isso ola obrigado obrigada hoje amanha consulta "
     "medico "
     "horario muito mais mas se nao me lhe dor doi filho filha mae pai peito ajuda bom boa dia tarde favor estou "
     "respirar "
     "sangue quanto custa voces marido esposa bebe consigo ele ela essa esse vou vai estao fila tive minhas"},
    {"fr",
     "le la les un une des est sont mon ma mes son sa votre vos vous je j ai tu que quand ou quel quelle qui comment "
     "puis peux peut veux voudrais besoin il elle nous et avec pour par de du en au aux ce cette ca bonjour merci "
     "demain "
     "rendez rdv medecin horaires tres plus mais si ne pas n me se mal fils fille mere pere poitrine aide suis c d l "
     "respirer combien coute mari femme bebe dans sur arrive jai nai cest a l la vais perdu grand"},
    {"hi-Latn",
     "hai hain ho hu hun hoon tha thi mera meri mere mujhe muje mujko aap aapka ap apka kya kab kahan kahaan kaun "
     "kaise "
     "kyun kitna kitne kitni nahi nahin nai nhi mein mai ka ki ke ko se par aur ya bhi toh to yeh ye woh wo namaste "
     "dhanyavad shukriya aaj kal subah shaam samay milna chahiye chahta chahti karna karo karein kar raha rahi rahe "
     "gaya "
     "gayi dard saans bukhar khoon bachcha bacche bache beta beti pita maa mata papa ji bahut bohot abhi hospital "
     "milega hoga sakta sakti seene pet lekin kuch kijiye batao bataiye ilaaj dawai ne liya diya gaye"},
}};

using Frequent = std::unordered_map<std::string, std::array<bool, kLatin.size()>>;

const Frequent& FrequentWords() {
  static const Frequent words = [] {
    Frequent made;
    for (std::size_t i = 0; i < kLatin.size(); ++i) {
      const Words folded = Normalise(kLatin[i].words);
      for (const Token& token : folded.tokens) made[std::string(folded.Text(token))][i] = true;
    }
    return made;
  }();
  return words;
}

}  // namespace

std::string_view GuessLanguage(std::string_view text, std::string_view hint) {
  if (hint.empty()) hint = "en";
  const Words words = Normalise(text.substr(0, kMaxBytes));
  std::size_t arabic = 0, devanagari = 0, latin = 0;
  std::array<double, kLatin.size()> scores{};
  const Frequent& frequent = FrequentWords();
  for (const Token& token : words.tokens) {
    const std::string_view word = words.Text(token);
    switch (ScriptOf(word)) {
      case Script::kArabic:
        ++arabic;
        break;
      case Script::kDevanagari:
        ++devanagari;
        break;
      case Script::kLatin: {
        ++latin;
        const auto it = frequent.find(std::string(word));
        if (it == frequent.end()) break;
        // A word that several languages have counts less for each.
        const auto owners = std::count(it->second.begin(), it->second.end(), true);
        for (std::size_t i = 0; i < scores.size(); ++i) {
          if (it->second[i]) scores[i] += 1.0 / static_cast<double>(owners * owners);
        }
        break;
      }
      case Script::kOther:
        break;
    }
  }
  if (arabic > 0 && arabic * 2 >= latin && arabic >= devanagari) return "ar";
  if (devanagari > 0 && devanagari * 2 >= latin) return "hi";
  for (std::size_t i = 0; i < kLatin.size(); ++i) {
    if (kLatin[i].tag == hint) scores[i] += kHint;
  }
  const auto best = std::max_element(scores.begin(), scores.end());
  double second = 0;
  for (auto it = scores.begin(); it != scores.end(); ++it) {
    if (it != best) second = std::max(second, *it);
  }
  if (*best < 0.5 || *best - second < 0.2) return hint;
  return kLatin[static_cast<std::size_t>(best - scores.begin())].tag;
}

}  // namespace medidesk::safety
