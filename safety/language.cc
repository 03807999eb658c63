#include "safety/language.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "safety/normalise.h"

namespace medidesk::safety {
namespace {

constexpr std::size_t kMaxBytes = 4'096;  // enough to know a language by
constexpr double kHint = 0.3;             // what the hint weighs, in words

constexpr FrequentList kLists[] = {
    {"en",
     "the is are was my your you i im can cant could would should what when where which who how do does did have has "
     "had need want and with for at of in on this that it its there please hello hi thanks thank today tomorrow doctor "
     "appointment hours am not dont no be been will he she they we his her him our from or but if time next any get "
     "hospital pain help open book see an to me a some out up off down then than very too just now about after before "
     "because only also here home night morning day week month year since still again going go come came take took put "
     "said says say tell told ask give gave make made know think feel feeling really much many more most other same "
     "new "
     "old good bad well back last first one two three four five old man men woman kid kids son daughter mother father "
     "mom mum dad baby wife husband friend brother sister who while yes sir madam pls plz hey got getting them "
     "were over into like off every so as by us all"},
    {"es",
     "el la los las un una unos es son esta estan mi su tu yo que cuando donde cual quien como puedo puede quiero "
     "necesito tengo tiene hay y con para por de del en al esto hola gracias hoy manana cita medico horario muy mas "
     "pero si no me le se lo duele dolor hijo hija madre padre pecho ayuda buenos buenas dias tardes favor estoy usted "
     "hora respirar sangre cuanto cuesta consulta ustedes esposo esposa bebe a voy va mucho mucha solo ya desde hace "
     "todo toda este ese cada sin o ni fue era ser sus mis tan como porque entonces tambien despues antes anos meses "
     "semanas semana ayer noche nada algo sobre otra otro vez mama papa nino nina mal bien"},
    {"pt",
     "o a os as um uma e sao esta meu minha seu sua eu voce que quando onde qual quem como posso pode quero preciso "
     "tenho tem ha com para por de do da dos das em no na ao isto isso ola obrigado obrigada hoje amanha consulta "
     "medico horario muito mais mas se nao me lhe dor doi filho filha mae pai peito ajuda bom boa dia tarde favor "
     "estou "
     "respirar sangue quanto custa voces marido esposa bebe consigo ele ela essa esse vou vai estao fila tive minhas "
     "pra pro ta to ja desde faz tudo toda este cada sem ou nem foi era ser nos nas pelo pela porque entao tambem "
     "depois antes anos meses semanas semana ontem noite nada sobre outra outro vez menino menina mal bem so ate"},
    {"fr",
     "le la les un une des est sont mon ma mes son sa votre vos vous je j ai tu que quand ou quel quelle qui comment "
     "puis peux peut veux voudrais besoin il elle nous et avec pour par de du en au aux ce cette ca bonjour merci "
     "demain rendez rdv medecin horaires tres plus mais si ne pas n me se mal fils fille mere pere poitrine aide suis "
     "c "
     "d l respirer combien coute mari femme bebe dans sur arrive jai nai cest a vais perdu grand on y depuis tout "
     "toute sans ni ete etait etre ses tes leur car alors aussi apres avant ans mois semaines semaine hier nuit rien "
     "fait faire autre fois enfant petit bien quoi chez"},
    {"de",
     "der die das ein eine einen einem einer ist sind war mein meine meinen meinem meiner ihr ihre sein seine ich du "
     "er "
     "sie wir es man kann konnen konnte mochte will wollen habe hat haben hatte wann wo was wer wie welche brauche und "
     "mit fur bei von im in am an auf aus zu zum zur nicht kein keine bitte hallo danke guten morgen tag heute gestern "
     "termin arzt praxis stunden sehr auch noch mehr nur schon seit ab bis nach vor uber unter um wenn dass aber oder "
     "wird werden wurde mir mich dir dich ihm ihn uns euch den dem des so jetzt immer wieder hier da machen gibt alt "
     "kind tochter sohn mutter vater mann frau baby woche wochen monat monate jahr jahre tage sprechen"},
    {"id",
     "saya aku anda kamu dia kami kita mereka ini itu yang dan atau di ke dari untuk dengan pada tidak bukan belum "
     "sudah akan bisa mau ingin apa siapa kapan dimana mana berapa bagaimana kenapa ada adalah jam buka hari besok "
     "sekarang tolong terima kasih selamat pagi dokter janji rumah sakit anak ibu bapak ayah suami istri adik kakak "
     "nenek kakek bayi tapi kalau karena lagi juga sangat sekali banyak sedikit nya ya ga gak nggak tak udah lalu "
     "setelah sebelum sejak minggu bulan tahun umur sama cuma hanya biaya daftar kontrol"},
    {"sw",
     "mimi wewe yeye sisi wangu yangu langu zangu changu wako yako lako yake wake lake ni na ya wa za la cha kwa "
     "katika "
     "hii hiyo huyu hapa sasa leo kesho jana daktari hospitali saa ngapi nini nani wapi lini vipi je nataka naomba "
     "ninataka tafadhali asante habari mtoto mama baba mume mke dada kaka bibi babu sana tu pia au lakini kama baada "
     "kabla tangu wiki mwezi miezi mwaka umri ana nina hana sina kuna hakuna miadi bei mnafungua wetu hivi"},
    {"tr",
     "bir bu su ve ile icin mi mu ben sen o biz siz onlar benim senin onun bana sana ona beni var yok degil ne nasil "
     "nerede kim kac ne zaman hangi lutfen merhaba tesekkurler bugun yarin dun doktor randevu hastane saat cok daha "
     "sadece ama veya eger gibi sonra once kadar simdi artik hala annem babam annemin babamin oglum kizim esim kocam "
     "cocuk bebek kardesim istiyorum almak hafta haftalik ay aylik yil yasinda gecen ki da de mu"},
    {"hi-Latn",
     "hai hain ho hu hun hoon tha thi mera meri mere mujhe muje mujko aap aapka ap apka kya kab kahan kahaan kaun "
     "kaise kyun kitna kitne kitni nahi nahin nai nhi mein mai ka ki ke ko se par aur ya bhi toh to yeh ye woh wo "
     "namaste dhanyavad shukriya aaj kal subah shaam samay milna chahiye chahta chahti karna karo karein kar raha rahi "
     "rahe gaya gayi dard saans bukhar khoon bachcha bacche bache beta beti pita maa mata papa ji bahut bohot abhi "
     "milega hoga sakta sakti seene pet lekin kuch kijiye batao bataiye ilaaj dawai ne liya diya gaye hua hui hue raha "
     "rhi rha h me wala wali wale sath ghar din mahine saal hafte pe dada dadi bhai behen pati patni"},
    {"hi",
     "है हैं हूँ था थी मेरा मेरी मेरे मुझे आप क्या कब कहाँ कौन कैसे कितना नहीं में का की के को से पर और या भी तो यह वह "
     "आज कल अभी बहुत रहा रही रहे गया गयी गई हो ने लिया दिया हुआ हुई चाहिए करना कर साथ घर दिन महीने साल"},
    {"bn",
     "আমি আমার আমাকে তুমি আপনি আপনার সে তার এই ওই কি কী কে কখন কোথায় কত কেন কীভাবে না নেই হয় হয়েছে হচ্ছে আছে ছিল "
     "করে করতে করছে করব থেকে জন্য সাথে আর ও এবং বা কিন্তু এখন আজ কাল খুব অনেক একটা একজন চাই দয়া করে ধন্যবাদ বছর মাস "
     "দিন সপ্তাহ ডাক্তার হাসপাতাল মা বাবা ছেলে মেয়ে ভাই বোন"},
    {"ar",
     "في من على إلى عن مع هذا هذه ما لا هل أنا أنت هو هي نحن كم متى أين كيف لماذا عندي عنده عندها عندكم أريد ابغى ممكن "
     "اليوم غدا بكرة الآن بعد قبل كان كانت يوجد شكرا السلام عليكم موعد دكتور طبيب مستشفى و أو أبي أمي ابني بنتي زوجي "
     "زوجتي أخي ولا وين مو مش جدا الى التي الذي"},
    {"ur",
     "ہے ہیں ہوں تھا تھی میرا میری میرے مجھے آپ کیا کب کہاں کون کیسے کتنا نہیں میں کا کی کے کو سے پر اور یا بھی تو یہ "
     "وہ آج کل "
     "ابھی بہت رہا رہی رہے گیا گئی ہو نے لیا دیا ہوا ہوئی چاہیے کرنا کر ساتھ گھر دن مہینے سال بچے بچہ"},
};

constexpr std::size_t kCount = std::size(kLists);

Script ScriptOfList(std::size_t list) {
  const std::string_view tag = kLists[list].tag;
  if (tag == "hi") return Script::kDevanagari;
  if (tag == "bn") return Script::kBengali;
  return tag == "ar" || tag == "ur" ? Script::kArabic : Script::kLatin;
}

using Frequent = std::unordered_map<std::string, std::array<bool, kCount>>;

const Frequent& FrequentWords() {
  static const Frequent words = [] {
    Frequent made;
    for (std::size_t i = 0; i < kCount; ++i) {
      const Words folded = Normalise(kLists[i].words);
      for (const Token& token : folded.tokens) made[std::string(folded.Text(token))][i] = true;
    }
    return made;
  }();
  return words;
}

// Letters that Urdu has and Arabic has not; folding takes some of them for Arabic ones.
bool HasUrduLetters(std::string_view text) {
  constexpr std::array<std::string_view, 11> kLetters = {"\u0679", "\u0688", "\u0691", "\u06BA", "\u06BE", "\u06C1",
                                                         "\u06D2", "\u06CC", "\u06A9", "\u06AF", "\u0686"};
  int found = 0;
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0xD8 || lead > 0xDB) continue;
    if (std::find(kLetters.begin(), kLetters.end(), text.substr(at, 2)) != kLetters.end() && ++found == 2) return true;
  }
  return false;
}

}  // namespace

std::span<const FrequentList> FrequentLists() { return kLists; }

std::string_view GuessLanguage(std::string_view text, std::string_view hint) {
  if (hint.empty()) hint = "en";
  text = text.substr(0, kMaxBytes);
  const Words words = Normalise(text);
  std::array<std::size_t, 6> scripts{};  // words, by Script
  std::array<double, kCount> scores{};
  const Frequent& frequent = FrequentWords();
  for (const Token& token : words.tokens) {
    if (token.number) continue;
    const std::string_view word = words.Text(token);
    ++scripts[static_cast<std::size_t>(ScriptOf(word))];
    const auto it = frequent.find(std::string(word));
    if (it == frequent.end()) continue;
    // A word that several languages have counts less for each.
    const auto owners = std::count(it->second.begin(), it->second.end(), true);
    for (std::size_t i = 0; i < kCount; ++i) {
      if (it->second[i]) scores[i] += 1.0 / static_cast<double>(owners * owners);
    }
  }
  const auto count = [&](Script script) { return scripts[static_cast<std::size_t>(script)]; };
  const std::size_t latin = count(Script::kLatin);
  if (count(Script::kHan) > latin) return "zh";
  if (count(Script::kArabic) > 0 && count(Script::kArabic) * 2 >= latin &&
      count(Script::kArabic) >= count(Script::kDevanagari)) {
    return HasUrduLetters(text) ? "ur" : "ar";
  }
  if (count(Script::kDevanagari) > 0 && count(Script::kDevanagari) * 2 >= latin) return "hi";
  if (count(Script::kBengali) > 0 && count(Script::kBengali) * 2 >= latin) return "bn";
  std::size_t best = kCount;
  double second = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (ScriptOfList(i) != Script::kLatin) continue;
    if (kLists[i].tag == hint) scores[i] += kHint;
    if (best == kCount || scores[i] > scores[best]) {
      if (best != kCount) second = std::max(second, scores[best]);
      best = i;
    } else {
      second = std::max(second, scores[i]);
    }
  }
  if (scores[best] < 0.5 || scores[best] - second < 0.2) return hint;
  return kLists[best].tag;
}

}  // namespace medidesk::safety
