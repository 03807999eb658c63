#include "assistant/facts/question.h"

namespace medidesk::assistant {
namespace {

constexpr std::string_view kRows[] = {
    // --- nothing but politeness
    "greeting | hello hi hey heya hii hai hullo greetings morning evening afternoon howdy menu start help hola "
    "buenos buenas saludos oi olá ola bom boa bonjour bonsoir salut coucou नमस्ते नमस्कार प्रणाम हेलो हैलो "
    "namaste namaskar namasthe pranam salaam salam assalam assalamualaikum adaab ram_ram مرحبا اهلا أهلا السلام "
    "سلام صباح مساء هلا هاي",
    "thanks | thanks thank thankyou thx ty appreciated gracias obrigado obrigada valeu merci धन्यवाद शुक्रिया "
    "dhanyavad dhanyawad shukriya شكرا مشكور",
    "bye | bye goodbye adiós adios chao tchau adeus revoir alvida अलविदा وداعا السلامة",
    "filler | good day night there sir madam maam mam dear team all you u how are so very much a lot again ok "
    "okay yes oh please asha doctor for the your help everyone hospital nice great perfect welcome back días "
    "dias tardes noches muchas mil y qué tal dia tarde noite muito beaucoup bien ça va à au bonne journée जी आप "
    "आपका बहुत बहुत-बहुत ji aap bahut aapka bhai didi عليكم ورحمة الله وبركاته الخير النور جزيلا لك بكم مع يا "
    "دكتور وسهلا",
    // --- medical advice
    "drug | metformin paracetamol acetaminophen ibuprofen aspirin calpol crocin dolo tylenol advil antibiotic "
    "antibiotics insulin amoxicillin azithromycin painkiller painkillers steroid steroids warfarin statin "
    "statins omeprazole pantoprazole cetirizine diclofenac tramadol morphine codeine prednisolone levothyroxine "
    "thyroxine amlodipine atorvastatin losartan ecosprin contraceptive antidepressant antidepressants "
    "supplement supplements vitamin vitamins syrup ointment antibiótico antibióticos insulina paracétamol "
    "ibuprofène antibiotique antibiotiques insuline dipirona पैरासिटामोल एंटीबायोटिक इंसुलिन इन्सुलिन "
    "باراسيتامول بانادول مضاد حيوي انسولين الأنسولين أسبرين",
    "dose | dose doses dosage dosages mg milligram milligrams mcg ml tablet tablets pill pills capsule capsules "
    "overdose dosis pastilla pastillas pílula comprimido comprimidos comprimé comprimés gélule खुराक गोली "
    "गोलियां khurak goli جرعة حبة حبوب",
    "symptom | pain pains painful ache aches aching hurt hurts hurting fever temperature cough coughing cold "
    "flu vomit vomiting diarrhoea diarrhea rash dizzy dizziness headache migraine swelling swollen bleeding "
    "nausea nauseous itching itchy itch sore lump cramp cramps numb numbness fatigue infection infected burning "
    "wheezing constipation palpitations bloated stomachache toothache sneezing symptom symptoms sick ill unwell "
    "pus bruise bruising discharge_from spots pimple pimples acne diabetes asthma dolor dolores duele fiebre "
    "tos vómito vómitos vomitar mareo mareos diarrea sarpullido náuseas sangrado hinchazón síntoma síntomas dor "
    "dores dói febre tosse tontura diarreia náusea sangramento inchaço sintoma sintomas douleur douleurs mal "
    "fièvre toux vomissements vertige vertiges diarrhée éruption nausée saignement gonflement symptôme "
    "symptômes दर्द बुखार खांसी खाँसी उल्टी चक्कर दस्त सूजन खुजली जुकाम dard bukhar khansi ulti chakkar dast "
    "sujan khujli jukam ألم الم وجع حمى سعال كحة قيء استفراغ دوخة إسهال طفح حرارة صداع التهاب أعراض",
    "measure | hba1c hba sugar glucose cholesterol creatinine hemoglobin haemoglobin platelet platelets tsh bp "
    "triglycerides ldl hdl bilirubin urea ferritin wbc rbc crp esr psa sgpt sgot spo2 oxygen saturation pulse "
    "bmi blood_pressure azúcar glucosa colesterol glicose açúcar pressão glycémie cholestérol tension शुगर "
    "कोलेस्ट्रॉल बीपी हीमोग्लोबिन السكر سكر كوليسترول ضغط الضغط ضغطي سكري",
    "judge | bad normal serious dangerous danger worry worried worrying safe harmful risky high low abnormal "
    "elevated severe mean means meaning okay ok fine contagious infectious malo grave peligroso normales "
    "preocupar alto alta bajo ruim perigoso preocupante mauvais dangereux élevé inquiétant ठीक खतरनाक नॉर्मल "
    "ज्यादा khatarnak jyada zyada thik theek خطير طبيعي خطيرة مرتفع عادي",
    "take | take taking took drink swallow stop stopping double skip skipped missed increase decrease reduce "
    "instead combine mix apply tomar dejar tomando parar prendre arrêter doubler लेना लूं लूँ खाऊं lena lun "
    "khau khaun آخذ اخذ أتوقف أوقف أتناول تناول",
    "treat | cure cures remedy remedies diagnose diagnosis diagnosed prognosis treat treats heal side_effects "
    "side_effect disease cancer tumour tumor interpret what_causes curar remedio_casero diagnóstico cura guérir "
    "diagnostic diagnostiquer remède इलाज उपाय ilaj upay علاج تشخيص شفاء",
    "opinion | should_i shall_i can_i is_it do_i could_i may_i am_i will_i what_should must_i debo puedo devo "
    "posso dois_je puis_je मुझे क्या mujhe kya هل ماذا",
    // --- days
    "1 | monday mon lunes segunda lundi सोमवार somvar somwar الاثنين الإثنين",
    "2 | tuesday tue tues martes terça mardi मंगलवार mangalvar mangalwar الثلاثاء",
    "3 | wednesday wed weds miércoles quarta mercredi बुधवार budhvar budhwar الأربعاء",
    "4 | thursday thu thur thurs jueves quinta jeudi गुरुवार guruvar guruwar الخميس",
    "5 | friday fri viernes sexta vendredi शुक्रवार shukravar shukrawar الجمعة",
    "6 | saturday sat sábado sabado samedi शनिवार shanivar shaniwar السبت",
    "7 | sunday sun domingo dimanche रविवार इतवार ravivar raviwar itwar الأحد",
    "today | today tonight hoy hoje aujourd आज aaj اليوم",
    "tomorrow | tomorrow tmrw tmr tomorow mañana amanhã demain कल kal غدا بكرة بكره",
};

}  // namespace

std::span<const std::string_view> QuestionRows() { return kRows; }

}  // namespace medidesk::assistant
