#include "assistant/checks/output_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assistant/checks/check_phrases.h"

namespace medidesk::assistant {
namespace {

CheckContext Site() {
  CheckContext context;
  context.allowed_link_hosts = {"www.sunrise.example", "portal.sunrise.example"};
  context.allowed_email_hosts = {"sunrise.example"};
  return context;
}
// The rule that stopped the text; "" when it passed.
std::string RuleOf(std::string_view text, const CheckContext& context = Site()) {
  const CheckResult result = CheckReply(text, context);
  EXPECT_EQ(result.passed, result.rule.empty());
  return result.rule;
}

struct Case {
  const char* rule;  // "": passes
  const char* text;
};

constexpr Case kCases[] = {
    // What nobody did, or would do.
    {"claimed_action", "I have booked your appointment for Monday at 10."},
    {"claimed_action", "Good news! I've booked you with Dr. Rao."},
    {"claimed_action", "I\u2019ve *booked* it."},
    {"claimed_action", "i  HAVE booked it"},
    {"claimed_action", "Your appointment is confirmed for Tuesday."},
    {"claimed_action", "Your appointment with Dr. Meera Iyer is confirmed."},
    {"claimed_action", "Your appointment on Monday has been cancelled."},
    {"claimed_action", "Your slot at 4 pm is reserved."},
    {"claimed_action", "The visit has been rescheduled to Friday."},
    {"claimed_action", "I have informed the doctor."},
    {"claimed_action", "I've let the ward know."},
    {"claimed_action", "I will inform the doctor right away."},
    {"claimed_action", "I'll book that for you."},
    {"claimed_action", "Your payment of INR 900 has been received."},
    {"claimed_action", "Done. You're booked!"},
    {"claimed_action", "If you like coffee, we have a caf\u00e9. Your appointment is confirmed."},
    {"claimed_action", "He reservado su cita para el lunes."},
    {"claimed_action", "Su cita con el doctor est\u00e1 confirmada."},
    {"claimed_action", "Tu cita ha sido cancelada."},
    {"claimed_action", "Agendei a sua consulta."},
    {"claimed_action", "Sua consulta est\u00e1 confirmada para amanh\u00e3."},
    {"claimed_action", "J'ai r\u00e9serv\u00e9 votre consultation."},
    {"claimed_action", "J\u2019ai pris rendez-vous pour vous."},
    {"claimed_action", "Votre rendez-vous de lundi est confirm\u00e9."},
    {"claimed_action",
     "\u0906\u092a\u0915\u093e \u0905\u092a\u0949\u0907\u0902\u091f\u092e\u0947\u0902\u091f "
     "\u092c\u0941\u0915 \u0915\u0930 \u0926\u093f\u092f\u093e \u0939\u0948\u0964"},
    {"claimed_action", "Maine aapka appointment book kar diya hai."},
    {"claimed_action", "Aapka appointment cancel ho gaya."},
    {"claimed_action", "\u0644\u0642\u062f \u062d\u062c\u0632\u062a \u0644\u0643 \u0645\u0648\u0639\u062f\u0627."},
    {"claimed_action", "\u062a\u0645 \u062a\u0623\u0643\u064a\u062f \u0645\u0648\u0639\u062f\u0643."},
    // How it is done, and what is only a case.
    {"", "You can book on the portal or by phone."},
    {"", "To confirm your appointment call +91 22 5550 0100."},
    {"", "Appointments are booked at the front desk."},
    {"", "Your appointment is confirmed once you receive the SMS."},
    {"", "If your appointment has been cancelled, call the desk."},
    {"", "When your appointment is booked, you get an SMS."},
    {"", "No appointment has been booked yet. Please call the desk."},
    {"", "I cannot book or cancel anything myself; the front desk can."},
    {"", "Would you like the staff to call you?"},
    {"", "Puede reservar su cita por tel\u00e9fono."},
    {"", "Si su cita ha sido cancelada, llame al mostrador."},
    {"", "Voc\u00ea pode marcar pelo telefone."},
    {"", "Vous pouvez r\u00e9server par t\u00e9l\u00e9phone."},
    {"", "Aap phone par appointment book kar sakte hain."},
    {"",
     "\u0906\u092a \u092b\u093c\u094b\u0928 \u092a\u0930 \u092c\u0941\u0915 \u0915\u0930 "
     "\u0938\u0915\u0924\u0947 \u0939\u0948\u0902\u0964"},
    {"",
     "\u064a\u0645\u0643\u0646\u0643 \u062d\u062c\u0632 \u0645\u0648\u0639\u062f \u0628\u0627\u0644\u0647\u0627"
     "\u062a\u0641."},
    // Doses.
    {"dose", "Take 500 mg of paracetamol."},
    {"dose", "Give 5ml twice a day."},
    {"dose", "Two tablets should help."},
    {"dose", "You may have half a tablet."},
    {"dose", "Use 2 drops in each eye."},
    {"dose", "Inject 10 units of insulin."},
    {"dose", "You can take ibuprofen for that."},
    {"dose", "You could give him some Calpol."},
    {"dose", "Double your dose tonight."},
    {"dose", "Stop taking the tablets."},
    {"dose", "I cannot advise you, but take paracetamol."},
    {"dose", "Tome un paracetamol cada ocho horas."},
    {"dose", "Dos pastillas bastan."},
    {"dose", "Prenez un comprim\u00e9."},
    {"dose", "Prenez du Doliprane."},
    {"dose", "Tome dois comprimidos."},
    {"dose", "\u090f\u0915 \u0917\u094b\u0932\u0940 \u0932\u0947\u0902\u0964"},
    {"dose", "\u096b\u0966\u0966 mg \u0932\u0947 \u0932\u0947\u0902"},
    {"dose", "Ek goli le lijiye."},
    {"dose", "Crocin le lo."},
    {"dose", "\u062e\u0630 \u062d\u0628\u062a\u064a\u0646."},
    {"dose", "\u0665\u0660\u0660 \u0645\u0644\u063a"},
    {"dose", "\uff15\uff10\uff10 \uff4d\uff47"},  // full width
    // Numbers that are none.
    {"", "We open at 10 am and close at 6.30 pm."},
    {"", "The MRI costs INR 7,500."},
    {"", "OPD 102, first floor."},
    {"", "Call +91 22 5550 0131 or 112."},
    {"", "Two visitors at a time, 15 minutes each."},
    {"", "Drink 500 ml of water before the scan."},
    {"", "I cannot say whether to take ibuprofen; please ask the nurse."},
    {"", "Please do not take aspirin on my word, ask a doctor."},
    {"", "The pharmacy is open day and night. It sells tablets and syrups."},
    {"", "Block B has 28 beds, 3 lifts and a 24/7 pharmacy."},
    {"", "La consulta cuesta 900 rupias y abre a las 8."},
    {"", "\u0936\u0941\u0932\u094d\u0915 900 \u0930\u0941\u092a\u092f\u0947 \u0939\u0948\u0964"},
    // Diagnosis and reassurance.
    {"diagnosis", "You have pneumonia."},
    {"diagnosis", "You may have an infection."},
    {"diagnosis", "It sounds like you have the flu."},
    {"diagnosis", "That could be a migraine."},
    {"diagnosis", "You probably have a cold."},
    {"diagnosis", "It's probably nothing."},
    {"diagnosis", "There is nothing to worry about."},
    {"diagnosis", "This is not an emergency."},
    {"diagnosis", "Your results are normal."},
    {"diagnosis", "Your symptoms suggest gastritis."},
    {"diagnosis", "Probablemente no es nada."},
    {"diagnosis", "Usted tiene una infecci\u00f3n."},
    {"diagnosis", "Provavelmente voc\u00ea tem gripe."},
    {"diagnosis", "Vous avez probablement une grippe."},
    {"diagnosis", "Rien de grave."},
    {"diagnosis",
     "\u091a\u093f\u0902\u0924\u093e \u0915\u0940 \u0915\u094b\u0908 \u092c\u093e\u0924 "
     "\u0928\u0939\u0940\u0902\u0964"},
    {"diagnosis", "Ghabrane ki koi baat nahi hai."},
    {"diagnosis", "\u0644\u0627 \u062f\u0627\u0639\u064a \u0644\u0644\u0642\u0644\u0642."},
    {"", "You may have a companion with you."},
    {"", "If you have diabetes, tell the nurse before you fast."},
    {"", "If it is not an emergency, call the desk in the morning."},
    {"", "Do you have an infection certificate? Bring it."},
    {"", "The clinic treats migraine, asthma and diabetes."},
    {"", "I cannot tell what it is. A doctor can see you today."},
    {"", "Si tiene fiebre, llame al 112."},
    {"", "Si vous avez une infection, dites-le \u00e0 l'accueil."},
    // Links.
    {"", "See https://www.sunrise.example/visit"},
    {"", "See https://WWW.Sunrise.Example."},
    {"", "See www.sunrise.example, please."},
    {"", "See https://a.portal.sunrise.example/x?y=1#z"},
    {"", "Write to frontdesk@sunrise.example."},
    {"", "Write to front.desk@sunrise.example."},
    {"", "Ask at 10.30 a.m. or 4.15pm, e.g. on Mon."},
    {"", "M.B.B.S., M.D., Ph.D. and Dr.Rao are here."},
    {"", "The desk is open.Please come."},
    {"", "It costs Rs.500."},
    {"link", "See https://evil.example/visit"},
    {"link", "See http://1.2.3.4/pay"},
    {"link", "See evil.com"},
    {"link", "See Evil.Com"},
    {"link", "See bit.ly/abc"},
    {"link", "Pay at wa.me/15550100"},
    {"link", "https://www.sunrise.example@evil.com"},
    {"link", "https://www.sunrise.example:443@evil.com/"},
    {"link", "https://www.sunrise.example.evil.com"},
    {"link", "https://notwww.sunrise.example.co"},
    {"link", "https://evilwww.sunrise.example"},
    {"link", "https://xn--sunrse-xya.example"},
    {"link", "xn--80ak6aa92e.xn--p1ai"},
    {"link", "e\u200bvil.c\u200bom"},
    {"link", "https:/\u200b/evil.example"},
    {"link", "evil\uff0ecom"},
    {"link", "evil\u3002com"},
    {"link", "evil\uff61com"},
    {"link", "\uff45\uff56\uff49\uff4c.\uff43\uff4f\uff4d"},
    {"link", "\u0430pple.com"},
    {"link", "[our site](https://evil.example)"},
    {"link", "Write to me@evil.com"},
    {"link", "Write to sunrise.example@evil.com"},
    {"link", "ftp://files.example"},
    // Leaks.
    {"leak", "My system prompt says that I am Asha."},
    {"leak", "Rules, in order of importance: one."},
    {"leak", "The turn is 6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01."},
    {"leak", "conversation_id is missing"},
    {"leak", "key: sk-ant-api03-abc"},
    {"", "Our system is down for the night."},
    // Nothing to read.
    {"empty", ""},
    {"empty", " \n\t "},
    {"empty", "..."},
    {"empty", "**"},
    {"empty", "\u200b"},
    {"empty", "\xff\xfe not UTF-8"},
};

TEST(OutputChecks, StopsAndPassesWhatItShould) {
  static_assert(std::size(kCases) >= 150);
  for (const Case& one : kCases) EXPECT_EQ(RuleOf(one.text), one.rule) << one.text;
}

TEST(OutputChecks, EveryPhraseStopsByItself) {
  for (const CheckPhrase& phrase : CheckPhrases()) {
    std::string text;
    for (std::size_t at = 0; at < phrase.words.size();) {
      const std::size_t end = std::min(phrase.words.find(' ', at), phrase.words.size());
      std::string word(phrase.words.substr(at, end - at));
      if (word == "@drug") word = CheckWords(WordSet::kDrug)[0];
      if (word == "@illness") word = CheckWords(WordSet::kIllness)[0];
      if (word.back() == '*') word.back() = 'k';
      if (word != "...") text += word + " ";
      at = end + 1;
    }
    EXPECT_NE(RuleOf(text), "") << phrase.words;
  }
}

TEST(OutputChecks, LetsAnActionBeToldThatAToolDid) {
  CheckContext context = Site();
  context.action_done = true;
  EXPECT_EQ(RuleOf("I have booked your appointment.", context), "");
  EXPECT_EQ(RuleOf("I have booked it. Take 500 mg.", context), "dose");
}

TEST(OutputChecks, AllowsNoLinkWithoutAList) {
  EXPECT_EQ(RuleOf("See www.sunrise.example", CheckContext()), "link");
  EXPECT_EQ(RuleOf("We open at 10.30.", CheckContext()), "");
}

TEST(OutputChecks, CountsCharactersNotBytes) {
  CheckContext context = Site();
  context.max_chars = 5;
  EXPECT_EQ(RuleOf("\u0928\u092e\u0938\u094d\u0924", context), "");  // five characters, 15 bytes
  EXPECT_EQ(RuleOf("abcdef", context), "length");
  EXPECT_EQ(RuleOf(" abcde\n", context), "") << "what is trimmed is not sent";
  EXPECT_EQ(RuleOf(std::string(4097, 'a')), "length");
}

TEST(OutputChecks, TurnsMarkdownIntoWhatsAppText) {
  const std::pair<const char*, const char*> cases[] = {
      {"**bold** and __bold__", "*bold* and *bold*"},
      {"***bold***", "*bold*"},
      {"# Title\ntext", "*Title*\ntext"},
      {"## A **b** c", "*A b c*"},
      {"#5 is a room", "#5 is a room"},
      {"see `code` here", "see code here"},
      {"```\ncode\n```\nend", "code\nend"},
      {"[Portal](https://x.example)", "Portal: https://x.example"},
      {"[https://x.example](https://x.example)", "https://x.example"},
      {"[not a link] (x)", "[not a link] (x)"},
      {"| a | b |\n|---|---|\n| 1 | 2 |", " a - b \n 1 - 2 "},
      {"- one\n- two", "- one\n- two"},
      {"a\n---\nb", "a\nb"},
      {"*already*", "*already*"},
      {"", ""},
  };
  for (const auto& [markdown, expected] : cases) EXPECT_EQ(ToWhatsAppText(markdown), expected) << markdown;
  EXPECT_EQ(CheckReply("  **Hi**\n", Site()).text, "*Hi*");
}

// A text that is cut anywhere, in the middle of a character too, is judged, never crashed on.
TEST(OutputChecks, SurvivesEveryPrefixOfHostileBytes) {
  std::string hostile;
  for (int byte = 0; byte < 256; ++byte) hostile += static_cast<char>(byte);
  hostile += "://@.[](|``**\n#\n|--|\n```";
  for (const Case& one : kCases) hostile += one.text;
  for (std::size_t size = 0; size <= hostile.size(); size += size < 400 ? 1 : 37) {
    const std::string_view prefix(hostile.data(), size);
    const CheckResult result = CheckReply(prefix, Site());
    EXPECT_EQ(result.passed, result.rule.empty());
  }
  for (std::size_t begin = 256; begin < hostile.size(); begin += 11) {
    const std::string_view piece = std::string_view(hostile).substr(begin, 61);
    const CheckResult result = CheckReply(piece, Site());
    EXPECT_EQ(result.passed, result.rule.empty());
  }
}

}  // namespace
}  // namespace medidesk::assistant
