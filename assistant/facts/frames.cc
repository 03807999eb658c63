#include "assistant/facts/frames.h"

#include <array>

namespace medidesk::assistant {
namespace {

constexpr std::size_t kFrames = static_cast<std::size_t>(Frame::kCount);

struct Sentences {
  std::string_view language;
  std::array<std::string_view, kFrames> frames;
  // English, Spanish, Portuguese, French, Hindi, Arabic.
  std::array<std::string_view, 6> languages;
  // Visiting hours, departments, doctors, settings, FAQ.
  std::array<std::string_view, 5> sources;
};

constexpr Sentences kSentences[] = {
    {"en",
     {"Hello! {persona} of {hospital}: I am an automated assistant, not a person, and I give no medical advice.",
      "I can tell you about visiting hours, departments, doctors and their hours, appointments, insurance and how to "
      "find us.",
      "Write \"person\" at any time to reach our staff.",
      "In an emergency call {number}.",
      "You are welcome. If there is anything else, just write.",
      "Goodbye, and take care.",
      "Visiting hours:",
      "no visits",
      "Our departments:",
      "Doctors in {department}:",
      "Doctors in {department}, {day}:",
      "According to our roster, no doctor of {department} has consultations on this day: {day}.",
      "I do not find a doctor of that name in our list.",
      "Hours",
      "Where",
      "Phone",
      "Fee",
      "Front desk hours",
      "We work with these insurers:",
      "If yours is not in this list, please ask our staff before you come.",
      "I cannot book, change or cancel an appointment myself.",
      "Our front desk makes appointments.",
      "This is what our list says; I do not know more.",
      "Our staff can help you: write \"person\" here.",
      "Our staff can help you: write \"person\" here or call {phone}.",
      "The front desk is open now ({hours}).",
      "The front desk is closed now and opens again {when}. In an emergency call {number}.",
      "today at {time}",
      "tomorrow at {time}",
      "{day} at {time}",
      "I am sorry, I do not have the answer to that in the hospital's information.",
      "I am sorry, the hospital has not given me its information yet, so I do not have an answer.",
      "I cannot give medical advice, and I do not interpret symptoms, medicines or test results. A doctor or nurse "
      "can: please make an appointment or ask our staff. If it is getting worse or feels urgent, call {number}.",
      "(This information is stored in {language}.)",
      "Source: {source}",
      "your local emergency number"},
     {"English", "Spanish", "Portuguese", "French", "Hindi", "Arabic"},
     {"the hospital's visiting hours", "the hospital's list of departments", "the doctors' roster",
      "the hospital's own entry", "the hospital's FAQ"}},
    {"es",
     {"¡Hola! {persona} de {hospital}: soy un asistente automático, no una persona, y no doy consejos médicos.",
      "Puedo informarle sobre horarios de visita, departamentos, médicos y sus horarios, citas, seguros y cómo llegar.",
      "Escriba \"persona\" en cualquier momento para hablar con nuestro personal.",
      "En una emergencia llame al {number}.",
      "De nada. Si necesita algo más, escríbame.",
      "Adiós, cuídese.",
      "Horario de visitas:",
      "sin visitas",
      "Nuestros departamentos:",
      "Médicos de {department}:",
      "Médicos de {department}, {day}:",
      "Según nuestra lista, ningún médico de {department} tiene consulta ese día: {day}.",
      "No encuentro a un médico con ese nombre en nuestra lista.",
      "Horario",
      "Dónde",
      "Teléfono",
      "Precio",
      "Horario de recepción",
      "Trabajamos con estas aseguradoras:",
      "Si la suya no está en la lista, pregunte a nuestro personal antes de venir.",
      "Yo no puedo reservar, cambiar ni cancelar citas.",
      "Las citas las da nuestra recepción.",
      "Esto es lo que dice nuestra lista; no sé más.",
      "Nuestro personal puede ayudarle: escriba \"persona\" aquí.",
      "Nuestro personal puede ayudarle: escriba \"persona\" aquí o llame al {phone}.",
      "La recepción está abierta ahora ({hours}).",
      "La recepción está cerrada ahora y abre de nuevo {when}. En una emergencia llame al {number}.",
      "hoy a las {time}",
      "mañana a las {time}",
      "{day} a las {time}",
      "Lo siento, no tengo esa respuesta en la información del hospital.",
      "Lo siento, el hospital todavía no me ha dado su información, así que no tengo respuesta.",
      "No puedo dar consejos médicos ni interpretar síntomas, medicamentos o resultados. Un médico o una enfermera sí: "
      "pida una cita o pregunte a nuestro personal. Si empeora o parece urgente, llame al {number}.",
      "(Esta información está guardada en {language}.)",
      "Fuente: {source}",
      "número local de emergencias"},
     {"inglés", "español", "portugués", "francés", "hindi", "árabe"},
     {"horario de visitas del hospital", "lista de departamentos del hospital", "horario de los médicos",
      "datos del hospital", "preguntas frecuentes del hospital"}},
    {"pt",
     {"Olá! {persona} de {hospital}: sou um assistente automático, não uma pessoa, e não dou conselhos médicos.",
      "Posso informar sobre horários de visita, departamentos, médicos e seus horários, consultas, convênios e como "
      "chegar.",
      "Escreva \"pessoa\" a qualquer momento para falar com a nossa equipe.",
      "Em emergência, ligue para {number}.",
      "De nada. Se precisar de mais alguma coisa, escreva.",
      "Até logo, cuide-se.",
      "Horário de visitas:",
      "sem visitas",
      "Nossos departamentos:",
      "Médicos de {department}:",
      "Médicos de {department}, {day}:",
      "Segundo a nossa lista, nenhum médico de {department} atende neste dia: {day}.",
      "Não encontro um médico com esse nome na nossa lista.",
      "Horário",
      "Onde",
      "Telefone",
      "Preço",
      "Horário da recepção",
      "Trabalhamos com estes convênios:",
      "Se o seu não está na lista, pergunte à nossa equipe antes de vir.",
      "Eu não posso marcar, mudar nem cancelar consultas.",
      "As consultas são marcadas pela nossa recepção.",
      "É o que diz a nossa lista; não sei mais.",
      "A nossa equipe pode ajudar: escreva \"pessoa\" aqui.",
      "A nossa equipe pode ajudar: escreva \"pessoa\" aqui ou ligue para {phone}.",
      "A recepção está aberta agora ({hours}).",
      "A recepção está fechada agora e abre de novo {when}. Em emergência, ligue para {number}.",
      "hoje às {time}",
      "amanhã às {time}",
      "{day} às {time}",
      "Desculpe, não tenho essa resposta nas informações do hospital.",
      "Desculpe, o hospital ainda não me deu as suas informações, por isso não tenho resposta.",
      "Não posso dar conselhos médicos nem interpretar sintomas, remédios ou resultados. Um médico ou enfermeiro pode: "
      "marque uma consulta ou fale com a nossa equipe. Se piorar ou parecer urgente, ligue para {number}.",
      "(Esta informação está guardada em {language}.)",
      "Fonte: {source}",
      "o número local de emergência"},
     {"inglês", "espanhol", "português", "francês", "hindi", "árabe"},
     {"horários de visita do hospital", "lista de departamentos do hospital", "escala dos médicos", "dados do hospital",
      "perguntas frequentes do hospital"}},
    {"fr",
     {"Bonjour ! {persona} de {hospital} : je suis un assistant automatique, pas une personne, et je ne donne pas "
      "d'avis "
      "médical.",
      "Je peux vous renseigner sur les visites, les services, les médecins et leurs horaires, les rendez-vous, les "
      "assurances et l'accès.",
      "Écrivez « personne » à tout moment pour joindre notre personnel.",
      "En cas d'urgence, appelez le {number}.",
      "Je vous en prie. Écrivez-moi si vous avez une autre question.",
      "Au revoir, prenez soin de vous.",
      "Heures de visite :",
      "pas de visites",
      "Nos services :",
      "Médecins de {department} :",
      "Médecins de {department}, {day} :",
      "D'après notre planning, aucun médecin de {department} ne consulte ce jour-là : {day}.",
      "Je ne trouve pas de médecin de ce nom dans notre liste.",
      "Horaires",
      "Où",
      "Téléphone",
      "Tarif",
      "Horaires de l'accueil",
      "Nous travaillons avec ces assureurs :",
      "Si le vôtre n'y est pas, demandez à notre personnel avant de venir.",
      "Je ne peux ni prendre, ni changer, ni annuler un rendez-vous.",
      "Les rendez-vous sont donnés par l'accueil.",
      "C'est ce que dit notre liste ; je n'en sais pas plus.",
      "Notre personnel peut vous aider : écrivez « personne » ici.",
      "Notre personnel peut vous aider : écrivez « personne » ici ou appelez le {phone}.",
      "L'accueil est ouvert en ce moment ({hours}).",
      "L'accueil est fermé et rouvre {when}. En cas d'urgence, appelez le {number}.",
      "aujourd'hui à {time}",
      "demain à {time}",
      "{day} à {time}",
      "Désolé, je n'ai pas cette réponse dans les informations de l'hôpital.",
      "Désolé, l'hôpital ne m'a pas encore donné ses informations, je n'ai donc pas de réponse.",
      "Je ne peux pas donner d'avis médical ni interpréter des symptômes, des médicaments ou des résultats. Un médecin "
      "ou "
      "une infirmière le peut : prenez rendez-vous ou demandez à notre personnel. Si cela s'aggrave ou semble urgent, "
      "appelez le {number}.",
      "(Cette information est enregistrée en {language}.)",
      "Source : {source}",
      "numéro d'urgence local"},
     {"anglais", "espagnol", "portugais", "français", "hindi", "arabe"},
     {"heures de visite de l'hôpital", "liste des services de l'hôpital", "planning des médecins",
      "données de l'hôpital", "questions fréquentes de l'hôpital"}},
    {"hi",
     {"नमस्ते! {hospital} की ओर से {persona}: मैं एक स्वचालित सहायक हूँ, कोई व्यक्ति नहीं, और चिकित्सा सलाह नहीं देता।",
      "मैं मिलने का समय, विभाग, डॉक्टर और उनका समय, अपॉइंटमेंट, बीमा और यहाँ पहुँचने का रास्ता बता सकता हूँ।",
      "स्टाफ़ से बात करने के लिए कभी भी \"व्यक्ति\" लिखें।",
      "आपात स्थिति में {number} पर फ़ोन करें।",
      "आपका स्वागत है। कुछ और चाहिए तो लिखें।",
      "नमस्ते, अपना ध्यान रखें।",
      "मिलने का समय:",
      "मिलने की अनुमति नहीं",
      "हमारे विभाग:",
      "{department} के डॉक्टर:",
      "{department} के डॉक्टर, {day}:",
      "हमारी सूची के अनुसार {department} में इस दिन कोई डॉक्टर नहीं है: {day}।",
      "हमारी सूची में इस नाम का कोई डॉक्टर नहीं मिला।",
      "समय",
      "कहाँ",
      "फ़ोन",
      "फ़ीस",
      "रिसेप्शन का समय",
      "हम इन बीमा कंपनियों के साथ काम करते हैं:",
      "आपकी कंपनी इस सूची में न हो तो आने से पहले स्टाफ़ से पूछें।",
      "मैं ख़ुद अपॉइंटमेंट ले, बदल या रद्द नहीं कर सकता।",
      "अपॉइंटमेंट हमारा रिसेप्शन देता है।",
      "हमारी सूची में यही है; इससे ज़्यादा मुझे नहीं पता।",
      "हमारा स्टाफ़ मदद कर सकता है: यहाँ \"व्यक्ति\" लिखें।",
      "हमारा स्टाफ़ मदद कर सकता है: यहाँ \"व्यक्ति\" लिखें या {phone} पर फ़ोन करें।",
      "रिसेप्शन अभी खुला है ({hours})।",
      "रिसेप्शन अभी बंद है, {when} खुलेगा। आपात स्थिति में {number} पर फ़ोन करें।",
      "आज {time} बजे",
      "कल {time} बजे",
      "{day} {time} बजे",
      "क्षमा करें, इसका जवाब अस्पताल की जानकारी में मेरे पास नहीं है।",
      "क्षमा करें, अस्पताल ने अभी मुझे जानकारी नहीं दी है, इसलिए मेरे पास जवाब नहीं है।",
      "मैं चिकित्सा सलाह नहीं दे सकता, और लक्षण, दवा या जाँच के नतीजे नहीं समझा सकता। डॉक्टर या नर्स बता सकते हैं: कृपया अपॉइंटमेंट "
      "लें या स्टाफ़ से पूछें। हालत बिगड़े या ज़रूरी लगे तो {number} पर फ़ोन करें।",
      "(यह जानकारी {language} में दर्ज है।)",
      "स्रोत: {source}",
      "स्थानीय आपातकालीन नंबर"},
     {"अंग्रेज़ी", "स्पेनिश", "पुर्तगाली", "फ़्रेंच", "हिंदी", "अरबी"},
     {"अस्पताल का मिलने का समय", "अस्पताल के विभागों की सूची", "डॉक्टरों की समय-सूची", "अस्पताल की अपनी जानकारी",
      "अस्पताल के अक्सर पूछे जाने वाले सवाल"}},
    {"hi-Latn",
     {"Namaste! {hospital} ki or se {persona}: main ek automatic sahayak hoon, koi vyakti nahi, aur medical salah nahi "
      "deta.",
      "Main milne ka samay, vibhag, doctor aur unka samay, appointment, bima aur yahan pahunchne ka rasta bata sakta "
      "hoon.",
      "Staff se baat karne ke liye kabhi bhi \"insaan\" likhein.",
      "Emergency mein {number} par phone karein.",
      "Aapka swagat hai. Kuch aur chahiye to likhein.",
      "Namaste, apna dhyan rakhein.",
      "Milne ka samay:",
      "milne ki anumati nahi",
      "Hamare vibhag:",
      "{department} ke doctor:",
      "{department} ke doctor, {day}:",
      "Hamari list ke anusar {department} mein is din koi doctor nahi hai: {day}.",
      "Hamari list mein is naam ka koi doctor nahi mila.",
      "Samay",
      "Kahan",
      "Phone",
      "Fees",
      "Reception ka samay",
      "Hum in bima companiyon ke saath kaam karte hain:",
      "Aapki company is list mein na ho to aane se pehle staff se poochein.",
      "Main khud appointment le, badal ya cancel nahi kar sakta.",
      "Appointment hamara reception deta hai.",
      "Hamari list mein yahi hai; isse zyada mujhe nahi pata.",
      "Hamara staff madad kar sakta hai: yahan \"insaan\" likhein.",
      "Hamara staff madad kar sakta hai: yahan \"insaan\" likhein ya {phone} par phone karein.",
      "Reception abhi khula hai ({hours}).",
      "Reception abhi band hai, {when} khulega. Emergency mein {number} par phone karein.",
      "aaj {time} baje",
      "kal {time} baje",
      "{day} {time} baje",
      "Maaf kijiye, iska jawab aspatal ki jaankari mein mere paas nahi hai.",
      "Maaf kijiye, aspatal ne abhi mujhe jaankari nahi di hai, isliye mere paas jawab nahi hai.",
      "Main medical salah nahi de sakta, aur lakshan, dawa ya test ke natije nahi samjha sakta. Doctor ya nurse bata "
      "sakte "
      "hain: kripya appointment lein ya staff se poochein. Haalat bigde ya zaroori lage to {number} par phone karein.",
      "(Yeh jaankari {language} mein darj hai.)",
      "Srot: {source}",
      "sthaniya emergency number"},
     {"English", "Spanish", "Portuguese", "French", "Hindi", "Arabic"},
     {"aspatal ka milne ka samay", "aspatal ke vibhagon ki list", "doctoron ki samay-list", "aspatal ki apni jaankari",
      "aspatal ke FAQ"}},
    {"ar",
     {"مرحبًا! {persona} من {hospital}: أنا مساعد آلي ولست إنسانًا، ولا أقدم نصائح طبية.",
      "يمكنني إخبارك بمواعيد الزيارة والأقسام والأطباء وأوقاتهم والمواعيد والتأمين وكيفية الوصول إلينا.",
      "اكتب \"موظف\" في أي وقت للتواصل مع موظفينا.",
      "في حالة الطوارئ اتصل بالرقم {number}.",
      "على الرحب والسعة. اكتب لي إن احتجت شيئًا آخر.",
      "مع السلامة، نتمنى لك الصحة.",
      "مواعيد الزيارة:",
      "لا توجد زيارات",
      "أقسامنا:",
      "أطباء {department}:",
      "أطباء {department}، {day}:",
      "حسب جدولنا لا يوجد طبيب في {department} في هذا اليوم: {day}.",
      "لا أجد طبيبًا بهذا الاسم في قائمتنا.",
      "الأوقات",
      "المكان",
      "الهاتف",
      "الرسوم",
      "أوقات الاستقبال",
      "نتعامل مع شركات التأمين التالية:",
      "إذا لم تكن شركتك في القائمة فاسأل موظفينا قبل الحضور.",
      "لا يمكنني حجز موعد أو تغييره أو إلغاؤه بنفسي.",
      "يحدد الاستقبال المواعيد.",
      "هذا ما في قائمتنا، ولا أعرف أكثر من ذلك.",
      "يمكن لموظفينا مساعدتك: اكتب \"موظف\" هنا.",
      "يمكن لموظفينا مساعدتك: اكتب \"موظف\" هنا أو اتصل بالرقم {phone}.",
      "الاستقبال مفتوح الآن ({hours}).",
      "الاستقبال مغلق الآن ويفتح {when}. في حالة الطوارئ اتصل بالرقم {number}.",
      "اليوم الساعة {time}",
      "غدًا الساعة {time}",
      "{day} الساعة {time}",
      "عذرًا، لا أجد جوابًا عن ذلك في معلومات المستشفى.",
      "عذرًا، لم يزودني المستشفى بمعلوماته بعد، ولذلك ليس لدي جواب.",
      "لا يمكنني تقديم نصيحة طبية ولا تفسير الأعراض أو الأدوية أو نتائج الفحوصات. يستطيع ذلك الطبيب أو الممرضة: احجز "
      "موعدًا "
      "أو اسأل موظفينا. إذا ساءت الحالة أو بدت عاجلة فاتصل بالرقم {number}.",
      "(هذه المعلومات محفوظة باللغة {language}.)",
      "المصدر: {source}",
      "المحلي للطوارئ"},
     {"الإنجليزية", "الإسبانية", "البرتغالية", "الفرنسية", "الهندية", "العربية"},
     {"مواعيد الزيارة في المستشفى", "قائمة أقسام المستشفى", "جدول الأطباء", "بيانات المستشفى",
      "الأسئلة الشائعة في المستشفى"}},
};

const Sentences& SentencesIn(std::string_view language) {
  for (const Sentences& sentences : kSentences) {
    if (sentences.language == language) return sentences;
  }
  // "es-MX" reads Spanish.
  const std::string_view primary = language.substr(0, language.find('-'));
  for (const Sentences& sentences : kSentences) {
    if (sentences.language == primary) return sentences;
  }
  return kSentences[0];
}

}  // namespace

std::string Say(Frame frame, std::string_view language, const Values& values) {
  const std::string_view pattern = SentencesIn(language).frames[static_cast<std::size_t>(frame)];
  std::string text;
  for (std::size_t at = 0; at < pattern.size();) {
    const std::size_t open = pattern.find('{', at);
    text += pattern.substr(at, open == std::string_view::npos ? open : open - at);
    if (open == std::string_view::npos) break;
    const std::size_t close = pattern.find('}', open);
    const std::string_view name = pattern.substr(open + 1, close - open - 1);
    for (const auto& [key, value] : values) {
      if (key == name) text += value;
    }
    at = close + 1;
  }
  return text;
}

std::string LanguageName(std::string_view tag, std::string_view language) {
  constexpr std::array<std::string_view, 6> kTags = {"en", "es", "pt", "fr", "hi", "ar"};
  const std::string_view primary = tag.substr(0, tag.find('-'));
  for (std::size_t i = 0; i < kTags.size(); ++i) {
    if (kTags[i] == primary) return std::string(SentencesIn(language).languages[i]);
  }
  return std::string(tag);
}

std::string SourceName(std::string_view source, std::string_view language) {
  const Sentences& sentences = SentencesIn(language);
  if (source.starts_with("visiting_hours")) return std::string(sentences.sources[0]);
  if (source.starts_with("department")) return std::string(sentences.sources[1]);
  if (source.starts_with("doctor")) return std::string(sentences.sources[2]);
  if (source.starts_with("faq")) return std::string(sentences.sources[4]);
  return std::string(sentences.sources[3]);
}

}  // namespace medidesk::assistant
