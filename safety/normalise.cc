#include "safety/normalise.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace medidesk::safety {
namespace {

constexpr std::int32_t kVirama = 0x094D;
constexpr std::int32_t kBengaliOffset = 0x80;  // the block repeats the layout of Devanagari

bool IsDevanagari(std::int32_t c) { return c >= 0x0900 && c <= 0x097F; }
bool IsBengali(std::int32_t c) { return c >= 0x0980 && c <= 0x09FF; }
bool IsHan(std::int32_t c) { return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF); }
bool IsArabic(std::int32_t c) { return (c >= 0x0600 && c <= 0x06FF) || (c >= 0x0750 && c <= 0x077F); }

bool IsApostrophe(std::int32_t c) {
  return c == '\'' || c == '`' || c == 0x00B4 || c == 0x2018 || c == 0x2019 || c == 0x201B || c == 0x02BC ||
         c == 0x02B9 || c == 0xFF07;
}

// The digit of a decimal system that patients type, -1 for anything else.
int Digit(std::int32_t c) {
  for (const std::int32_t zero : {0x30, 0x0660, 0x06F0, 0x0966, 0x09E6}) {
    if (c >= zero && c <= zero + 9) return static_cast<int>(c - zero);
  }
  return -1;
}

// One letter for the letters that writers of Arabic swap; 0 drops it.
std::int32_t FoldArabic(std::int32_t c) {
  switch (c) {
    case 0x0622:  // alef with madda, hamza above, below, wasla
    case 0x0623:
    case 0x0625:
    case 0x0671:
      return 0x0627;
    case 0x0649:  // alef maksura, Farsi yeh, yeh with hamza
    case 0x06CC:
    case 0x0626:
      return 0x064A;
    case 0x0624:  // waw with hamza
      return 0x0648;
    case 0x0629:  // teh marbuta
      return 0x0647;
    case 0x06A9:  // keheh
      return 0x0643;
    case 0x06C1:  // heh goal, heh doachashmee
    case 0x06BE:
    case 0x06C3:
      return 0x0647;
    case 0x06D2:  // yeh barree
    case 0x06D3:
      return 0x064A;
    case 0x06BA:  // noon ghunna
      return 0x0646;
    case 0x0621:  // a lone hamza is often left out
    case 0x0640:  // tatweel
      return 0;
    default:
      return c;
  }
}

// Long vowels become short ones, nasal signs, nukta and virama go; 0 drops the sign.
std::int32_t FoldDevanagari(std::int32_t c) {
  switch (c) {
    case 0x0900:
    case 0x0901:
    case 0x0902:
    case 0x0903:
    case 0x093C:
    case kVirama:
      return 0;
    case 0x0908:
      return 0x0907;
    case 0x090A:
      return 0x0909;
    case 0x0910:
      return 0x090F;
    case 0x0914:
      return 0x0913;
    case 0x0940:
      return 0x093F;
    case 0x0942:
      return 0x0941;
    case 0x0948:
      return 0x0947;
    case 0x094C:
      return 0x094B;
    default:
      return c;
  }
}

// As above, and the letters that writers of Bengali swap because they sound alike.
std::int32_t FoldBengali(std::int32_t c) {
  switch (c) {
    case 0x09CE:  // khanda ta
      return 0x09A4;
    case 0x09B6:  // the three s
    case 0x09B7:
      return 0x09B8;
    case 0x09A3:  // both n
      return 0x09A8;
    default: {
      const std::int32_t folded = FoldDevanagari(c - kBengaliOffset);
      return folded == 0 ? 0 : folded + kBengaliOffset;
    }
  }
}

// Traditional Chinese characters of the tables' words, each before its simplified form.
constexpr std::u32string_view kHanPairs =
    U"氣气過过頭头腫肿臉脸說说話话殺杀藥药醫医燒烧發发嬰婴兒儿嘔呕懷怀動动邊边無无沒没媽妈個个們们歲岁週周傷伤劇剧壓压"
    U"緊紧悶闷電电觸触"
    U"燙烫頸颈僵僵難难噴喷臟脏爺爷嗎吗來来會会還还讓让開开關关時时間间門门請请診诊號号產产針针檢检查查預预約约價价錢钱"
    U"費费車车禍祸撞撞"
    U"鐘钟倒倒醒醒應应麼么這这裡里哪哪樣样聲声覺觉熱热險险騷骚擾扰訊讯息息斷断隻只處处視视線线腦脑顱颅經经過过刺刺農农"
    U"蟲虫聽听講讲"
    U"膚肤紅红點点軟软嬤嬷癲癫癇痫喘喘暈晕厥厥絕绝輕轻親亲媳媳婦妇單单劑剂煙烟";

std::int32_t FoldHan(std::int32_t c) {
  for (std::size_t i = 0; i + 1 < kHanPairs.size(); i += 2) {
    if (static_cast<std::int32_t>(kHanPairs[i]) == c) return static_cast<std::int32_t>(kHanPairs[i + 1]);
  }
  return c;
}

bool IsHalfNasal(std::int32_t c) { return c == 0x0919 || c == 0x091E || c == 0x0923 || c == 0x0928 || c == 0x092E; }

Break BreakOf(std::int32_t c) {
  switch (c) {
    case '.':
    case '!':
    case '?':
    case '\n':
    case '\r':
    case 0x0964:  // danda
    case 0x0965:
    case 0x061F:  // Arabic question mark
    case 0x06D4:
    case 0x2026:
    case 0x2028:
    case 0x2029:
    case 0x3002:
    case 0x00A1:
    case 0x00BF:
      return Break::kSentence;
    case ',':
    case ';':
    case ':':
    case '(':
    case ')':
    case 0x060C:
    case 0x061B:
    case 0x2013:
    case 0x2014:
    case 0x3001:
    case 0xFF0C:
    case 0xFF1B:
    case 0xFF1A:
      return Break::kClause;
    default:
      return Break::kNone;
  }
}

bool IsLetter(std::int32_t c) {
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return (IsDevanagari(c) || IsBengali(c)) && c != 0x0964 && c != 0x0965;  // vowel signs belong to the word
  }
}

bool IsDropped(std::int32_t c) {
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return !IsDevanagari(c) && !IsBengali(c);
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
      return true;
    default:
      return false;
  }
}

class Builder {
 public:
  explicit Builder(std::size_t bytes) {
    words_.buffer.reserve(bytes + 16);
    words_.tokens.reserve(bytes / 4 + 4);
  }

  void Letter(std::int32_t c) {
    if (IsHan(c)) {  // written without spaces: each character is a word, and terms are several
      Close();
      Open(false);
      Append(FoldHan(c));
      Close();
      return;
    }
    if (open_ && number_) Close();
    Half(c);
    if (IsArabic(c)) c = FoldArabic(c);
    if (IsDevanagari(c)) c = FoldDevanagari(c);
    if (IsBengali(c)) c = FoldBengali(c);
    if (c == 0x0131) c = 'i';  // dotless i
    if (c == 0) return;
    Open(false);
    if (c == last_ || letters_ >= kMaxWordLetters) return;  // one of each repeated letter
    Append(c);
    last_ = c;
  }

  void Digit(int digit) {
    if (open_ && !number_) Close();
    Open(true);
    if (letters_ < kMaxWordLetters) Append('0' + digit);
  }

  // A point or comma between digits belongs to the number.
  bool Point(std::int32_t c, bool digit_follows) {
    if (!open_ || !number_ || !digit_follows || has_point_) return false;
    if (c != '.' && c != ',' && c != 0x066B) return false;
    has_point_ = true;
    Append('.');
    return true;
  }

  void Separate(Break strength) {
    Close();
    apostrophe_ = false;
    break_ = std::max(break_, strength);
  }

  // "can't" and "cant" are one word; French "j'ai" is two. Decided when the next word is complete.
  void Apostrophe() {
    const bool inside = open_ && !number_;
    Close();
    apostrophe_ = inside;
  }

  bool full() const { return words_.tokens.size() >= kMaxWords; }

  Words Finish() && {
    Close();
    return std::move(words_);
  }

 private:
  void Open(bool number) {
    if (open_) return;
    open_ = true;
    number_ = number;
    has_point_ = false;
    letters_ = 0;
    last_ = 0;
    start_ = words_.buffer.size();
  }

  // "बन्द" and "बंद" are one word: a nasal before virama and another consonant is dropped.
  void Half(std::int32_t c) {
    if (c == kVirama) {
      if (IsHalfNasal(before_) && open_ && last_ == before_ && letters_ > 1) half_ = true;
    } else {
      if (half_ && IsDevanagari(c)) {
        words_.buffer.resize(words_.buffer.size() - 3);  // every Devanagari letter is three bytes
        --letters_;
        last_ = 0;
      }
      half_ = false;
    }
    before_ = c;
  }

  void Append(std::int32_t c) {
    std::array<utf8proc_uint8_t, 4> bytes;
    const utf8proc_ssize_t count = utf8proc_encode_char(c, bytes.data());
    words_.buffer.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
    ++letters_;
  }

  void Close() {
    half_ = false;
    before_ = 0;
    if (!open_) return;
    open_ = false;
    Token token{.offset = static_cast<std::uint32_t>(start_),
                .size = static_cast<std::uint16_t>(words_.buffer.size() - start_),
                .letters = static_cast<std::uint16_t>(letters_),
                .before = break_,
                .number = number_};
    if (token.size == 0) return;
    if (std::exchange(apostrophe_, false) && IsContraction(std::string_view(words_.buffer).substr(start_))) {
      words_.tokens.back().size = static_cast<std::uint16_t>(words_.tokens.back().size + token.size);
      words_.tokens.back().letters = static_cast<std::uint16_t>(words_.tokens.back().letters + token.letters);
      return;
    }
    if (number_) {
      const char* begin = words_.buffer.data() + start_;
      std::from_chars(begin, begin + token.size, token.value);
    }
    break_ = Break::kNone;
    words_.tokens.push_back(token);
  }

  static bool IsContraction(std::string_view end) {
    return end == "t" || end == "s" || end == "m" || end == "d" || end == "l" || end == "re" || end == "ve";
  }

  Words words_;
  Break break_ = Break::kNone;
  bool open_ = false, number_ = false, has_point_ = false, half_ = false, apostrophe_ = false;
  std::size_t start_ = 0, letters_ = 0;
  std::int32_t last_ = 0, before_ = 0;
};

bool DigitAt(std::string_view rest) {
  utf8proc_int32_t next = 0;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(rest.data());
  return utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(rest.size()), &next) > 0 && Digit(next) >= 0;
}

}  // namespace

Words Normalise(std::string_view text) {
  Builder builder(text.size());
  while (!text.empty() && !builder.full()) {
    utf8proc_int32_t c = 0;
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    const utf8proc_ssize_t used = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size()), &c);
    if (used <= 0) {
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(static_cast<std::size_t>(used));
    if (IsApostrophe(c)) {
      builder.Apostrophe();
      continue;
    }
    std::array<utf8proc_int32_t, 32> parts;  // the longest decomposition (U+FDFA) has 18
    int boundary = 0;
    utf8proc_ssize_t count = 1;
    if (c < 0x80) {
      parts[0] = c >= 'A' && c <= 'Z' ? c + 32 : c;
    } else {
      const auto options =
          static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
      count = utf8proc_decompose_char(c, parts.data(), static_cast<utf8proc_ssize_t>(parts.size()), options, &boundary);
      if (count < 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) continue;
    }
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      const std::int32_t part = parts[static_cast<std::size_t>(i)];
      if (const int digit = Digit(part); digit >= 0) {
        builder.Digit(digit);
      } else if (IsDropped(part)) {
        continue;
      } else if (IsLetter(part)) {
        builder.Letter(part);
      } else if (!builder.Point(part, DigitAt(text))) {
        builder.Separate(BreakOf(part));
      }
    }
  }
  return std::move(builder).Finish();
}

Script ScriptOf(std::string_view word) {
  utf8proc_int32_t c = 0;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(word.data());
  if (utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(word.size()), &c) <= 0) return Script::kOther;
  if ((c >= 'a' && c <= 'z') || (c >= 0xC0 && c <= 0x24F)) return Script::kLatin;
  if (IsArabic(c)) return Script::kArabic;
  if (IsDevanagari(c)) return Script::kDevanagari;
  if (IsBengali(c)) return Script::kBengali;
  if (IsHan(c)) return Script::kHan;
  return Script::kOther;
}

}  // namespace medidesk::safety
