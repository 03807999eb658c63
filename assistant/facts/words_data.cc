#include "assistant/facts/words_data.h"

namespace medidesk::assistant {
namespace {

constexpr std::string_view kConcepts[] = {
    // --- time, place, money
    "hour | long hours whens time times timing timings open opening opens close closing closes closed schedule "
    "when until horario horarios hora horas abren abre abierto abierta abiertos cierran cierra cerrado cuando "
    "atienden horário horários abrem aberto fecha fecham quando funcionamento heure heures horaire horaires "
    "ouvert ouverte ouverts ouvre ouvrez ferme fermez fermé fermeture ouverture quand समय टाइम टाइमिंग कब खुला "
    "खुलता खुलती बंद घंटे samay taim kab khula khulta khulti khulega band ghante baje مواعيد موعدكم اوقات أوقات "
    "وقت ساعات ساعة متى تفتح يفتح مفتوح تغلق يغلق مغلق دوام الدوام المواعيد الأوقات",
    "where | where wheres location located address directions direction reach find dónde donde dirección "
    "ubicación ubicado queda llegar llego onde endereço localização localizado fica chegar chego où ou adresse "
    "situé trouve emplacement कहाँ कहां पता रास्ता लोकेशन kahan kaha pata rasta أين اين عنوان العنوان موقع "
    "الموقع وين مكان عنوانكم موقعكم",
    "fee | fee fees cost costs price prices pricing charge charges rates tariff much expensive precio "
    "precios cuesta cuestan cuánto cuanto costo coste tarifa tarifas cobran preço preços custa custam quanto "
    "custo cobram valor taxa prix coûte coute coûtent tarif tarifs combien frais honoraires कितना कितने कितनी "
    "फीस फ़ीस शुल्क कीमत दाम खर्च खर्चा kitna kitne kitni fees fis shulk kimat daam kharcha kharch paise سعر "
    "أسعار السعر تكلفة كم رسوم الرسوم تكاليف بكم ثمن",
    "pay | pay paying payment payments paid pagar pago pagos pagamento paiement payer régler भुगतान पैसे "
    "bhugtan دفع الدفع ادفع أدفع",
    "free | free gratis gratuito gratuita gratuit gratuite मुफ्त मुफ़्त muft مجاني مجانا مجانية",
    "phone | phone telephone call calling number contact ring teléfono telefono llamar llamo contacto telefone "
    "ligar ligo contato téléphone appeler contacter numéro फोन फ़ोन नंबर कॉल संपर्क fon nambar sampark هاتف رقم "
    "اتصل اتصال الاتصال تلفون أتصل",
    "email | email emails mail mails correo courriel ईमेल بريد البريد إيميل ايميل",
    "address | address dirección endereço adresse पता عنوان",
    "today | today hoy hoje aujourd'hui आज aaj اليوم",
    "sunday | sunday sun domingo dimanche रविवार इतवार ravivar itwar الأحد",
    "saturday | saturday sat sábado samedi शनिवार shanivar السبت",
    "night | night overnight noche noite nuit रात raat ليل ليلا الليل",
    // --- visits
    "visit | visit visits visiting visitor visitors visitas visita visitar visitante visitantes visite visites "
    "visiter visiteur visiteurs मिलने मुलाकात मुलाक़ात विज़िटिंग विजिटिंग milne mulakat زيارة الزيارة زيارات "
    "زائر زوار أزور ازور الزيارات للزيارة",
    "patient | patient patients inpatient inpatients paciente pacientes मरीज मरीज़ रोगी mariz mareez rogi مريض "
    "المريض مرضى relative relatives mother mom mum father dad grandpa grandma grandfather grandmother husband "
    "wife brother sister uncle aunt familiar familiares madre padre mãe pai mère père maa pitaji माँ पिता أمي "
    "أبي والدي والدتي",
    "icu | icu ccu itu uci uti réanimation reanimation आईसीयू العناية intensive intensivos intensivo intensifs "
    "critical",
    "ward | ward wards sala enfermaria वार्ड جناح عنبر",
    "room | room rooms habitación cuarto quarto chambre chambres कमरा कमरे kamra kamre غرفة غرف",
    "child | child children kid kids childrens baby babies infant son daughter niño niños niña hijo hija bebé "
    "criança crianças filho filha bebê enfant enfants fils fille bébé बच्चा बच्चे बच्चों bacha bache bachcha "
    "bachche bachchon طفل أطفال الأطفال طفلي رضيع ابني ابنتي pediatric paediatric pédiatrie pediatría pediatria "
    "pediatra paediatrics pediatrics paediatrician pediatrician",
    "birth | birth births delivery deliver labour labor parto nacimiento nascimento accouchement naissance "
    "प्रसव prasav ولادة الولادة",
    "maternity | maternity maternidad maternidade maternité antenatal postnatal प्रसूति أمومة",
    "pregnancy | pregnancy pregnant embarazo embarazada gravidez grávida grossesse enceinte गर्भावस्था गर्भवती "
    "garbhvati حمل حامل",
    // --- people and bookings
    "doctor | doctor doctors dr doc docs physician physicians médico médica médicos medico medica doctora "
    "médecin medecin médecins docteur डॉक्टर डाक्टर चिकित्सक daktar doktar طبيب الطبيب أطباء دكتور الدكتور "
    "دكتورة طبيبة",
    "appointment | appointment appointments appoint appt booking bookings book reserve reservation slot "
    "schedule cita citas reservar agendar turno marcar marcação agendamento rendez rdv "
    "réserver अपॉइंटमेंट अपॉइन्टमेंट अपॉइंटमेन्ट appointmnt apointment मिलना milna موعد موعدا موعدًا حجز أحجز "
    "احجز الحجز",
    "consultation | consulta consultas consultation consultations consult consultancy opd परामर्श ओपीडी "
    "paramarsh استشارة كشف الكشف",
    "cancel | cancel cancelling cancellation cancelar anular annuler रद्द radd cancal إلغاء الغاء",
    "change | change changing reschedule rescheduling move postpone cambiar reprogramar mudar remarcar "
    "reagendar changer reporter décaler बदलना badalna تغيير تأجيل",
    "specialist | specialist specialists especialista especialistas spécialiste विशेषज्ञ visheshagya أخصائي اخصائي",
    "department | department departments dept unit departamento departamentos servicio especialidad "
    "especialidades especialidade especialidades setor service services département विभाग vibhag قسم أقسام "
    "الأقسام تخصص",
    "human | human person people someone somebody agent operator staff representative persona humano pessoa "
    "atendente personne humain conseiller इंसान व्यक्ति कर्मचारी insaan vyakti karmchari شخص موظف موظفة إنسان",
    "nurse | nurse nurses nursing enfermera enfermero enfermeira enfermeiro infirmière infirmier नर्स ممرضة ممرض",
    "interpreter | interpreter interpreters translator intérprete interprète दुभाषिया مترجم",
    "talk | talk talking speak speaking speaks spoken hablar hablan falar falam parler parlez बात बोलते baat "
    "bolte تحدث تتحدث أتحدث التحدث",
    "language | language languages idioma idiomas lengua língua línguas langue langues भाषा bhasha لغة لغات اللغات",
    // --- urgent
    "emergency | emergency emergencies er casualty urgent emergencia emergencias urgencia urgencias urgente "
    "emergência urgência urgence urgences आपात आपातकाल आपातकालीन इमरजेंसी इमर्जेंसी aapat imarjensi طوارئ "
    "الطوارئ طارئة اسعاف",
    "ambulance | ambulance ambulances ambulancia ambulância एम्बुलेंस एंबुलेंस إسعاف الإسعاف سيارة",
    // --- services
    "park | park parking carpark estacionamiento aparcamiento aparcar estacionar estacionamento parquear garer "
    "stationner stationnement पार्किंग موقف مواقف المواقف سيارات",
    "insurance | insurance insurances insurer insurers insured mediclaim cashless tpa seguro seguros "
    "aseguradora aseguradoras convênio convenio plano assurance assurances mutuelle बीमा इंश्योरेंस bima beema "
    "تأمين التأمين تامين bupa",
    "accept | accept accepts accepted take aceptan acepta aceita aceitam acceptez prenez लेते lete تقبلون تقبل",
    "report | report reports result results informe informes resultado resultados relatório laudo laudos exames "
    "rapport rapports résultat résultats compte रिपोर्ट नतीजे riport تقرير تقارير نتيجة نتائج النتائج التقارير",
    "laboratory | lab labs laboratory laboratories pathology laboratorio laboratório laboratoire प्रयोगशाला लैब "
    "laib مختبر المختبر معمل تحاليل",
    "blood | blood sangre sangue sang खून रक्त khoon khun rakt دم الدم",
    "test | test tests testing análisis analisis prueba pruebas teste exame análise analyse analyses जांच जाँच "
    "टेस्ट janch تحليل فحص الفحص",
    "donate | donate donating donation donor donar donación doar doação donner दान daan تبرع أتبرع",
    "sample | sample samples muestra muestras amostra échantillon prélèvement सैंपल नमूना عينة",
    "fast | fasting fast empty ayunas ayuno jejum jeun खाली उपवास khali صائم صيام",
    "scan | scan scans imaging mri ct cat tomografía tomografia resonancia ressonância irm scanner mammography "
    "mammogram स्कैन एमआरआई أشعة رنين الأشعة",
    "ultrasound | ultrasound sonography ecografía ecografia ultrassom échographie echographie सोनोग्राफी "
    "अल्ट्रासाउंड سونار",
    "xray | xray radiografía radiografia raio radiographie एक्सरे",
    "radiology | radiology radiología radiologia radiologie रेडियोलॉजी",
    "pharmacy | pharmacy chemist pharmacies drugstore medical farmacia farmácia pharmacie फार्मेसी दवाखाना "
    "मेडिकल davakhana صيدلية الصيدلية",
    "medicine | medicine medicines medication medications meds drug drugs medicamento medicamentos remédio "
    "remédios médicament médicaments दवा दवाई दवाइयाँ dava dawa davai dawai दवाएँ دواء أدوية الدواء الأدوية",
    "prescription | prescription prescriptions refill receta recetas receita ordonnance पर्ची parchi وصفة",
    "vaccination | vaccine vaccines vaccination vaccinations vaccinate vaccinated immunisation immunization "
    "immunise jab jabs shot shots vacuna vacunas vacunación vacunar vacina vacinas vacinação vacinar vaccin "
    "vaccins vacciner टीका टीके टीकाकरण tika teeka لقاح تطعيم تطعيمات اللقاحات",
    "admission | admission admit admitted hospitalisation hospitalization ingreso internación internação "
    "internamento भर्ती bharti دخول تنويم",
    "discharge | discharge discharged alta sortie छुट्टी chutti خروج",
    "bed | bed beds cama camas leito leitos lit lits बेड बिस्तर bistar سرير أسرة",
    "surgery | surgery surgeries surgical surgeon operation operations operate cirugía cirugia operación "
    "cirujano cirurgia operação cirurgião chirurgie opération chirurgien ऑपरेशन सर्जरी جراحة عملية الجراحة جراح",
    "physio | physio physiotherapy physiotherapist fisioterapia physiothérapie kiné kinésithérapie फिजियोथेरेपी "
    "rehab rehabilitation علاج طبيعي",
    "dialysis | dialysis diálisis diálise dialyse डायलिसिस غسيل",
    "food | food canteen cafeteria café cafe restaurant eat meal meals lunch breakfast dinner comida cafetería "
    "cantina restaurante comer refeitório manger cantine cafétéria खाना कैंटीन khana طعام كافتيريا مطعم أكل",
    "pray | prayer pray praying temple mosque church chapel namaz oración capilla oração capela prière chapelle "
    "प्रार्थना मंदिर नमाज़ prarthana mandir صلاة مسجد مصلى",
    "wifi | wifi internet वाईफाई واي فاي إنترنت انترنت",
    "wheelchair | wheelchair wheelchairs accessible accessibility disabled disability ramp lift elevator ruedas "
    "silla cadeira rodas fauteuil roulant handicapé व्हीलचेयर كرسي متحرك",
    "atm | atm cajero एटीएम صراف",
    "complaint | complaint complaints complain complaining grievance feedback queja quejas reclamo quejarme "
    "reclamação reclamar plainte réclamation शिकायत shikayat شكوى الشكوى",
    "lost | lost found lose forgot forgotten left perdí perdido perdi perdu oublié खो kho فقدت ضاع نسيت",
    "bill | bill bills billing invoice invoices factura facturas fatura conta facture factures बिल فاتورة الفاتورة",
    "refund | refund refunds reembolso remboursement वापसी استرداد",
    "claim | claim claims reimbursement reimburse reimbursed",
    "certificate | certificate certificates certificado atestado certificat प्रमाणपत्र شهادة",
    "record | record records historial historia prontuário dossier dossiers रिकॉर्ड سجل ملف",
    "privacy | privacy private data privacidad datos privacidade dados confidentialité données गोपनीयता خصوصية "
    "بيانات",
    "portal | portal login password app account portail पोर्टल بوابة تطبيق",
    "video | video online teleconsultation telehealth telemedicine videoconsulta videollamada vidéo "
    "téléconsultation virtual zoom वीडियो فيديو",
    "history | founded founder founding established",
    "message | message messages chat whatsapp mensaje mensajes mensagem mensagens संदेश sandesh رسالة رسائل واتساب",
    "upi | upi gpay paytm phonepe google",
    "card | card cards tarjeta tarjetas cartão cartões carte cartes कार्ड بطاقة",
    "desk | desk reception recepción recepção recepcion accueil réception रिसेप्शन استقبال",
    "job | job jobs vacancy vacancies career careers hiring hire internship work trabajo empleo emprego vaga "
    "vagas emploi travail नौकरी naukri وظيفة وظائف",
    "smoke | smoking smoke cigarette tobacco fumar fumer धूम्रपान تدخين",
    "checkup | checkup checkups chequeo bilan चेकअप preventive",
    "home | home house casa domicilio domicílio maison घर ghar منزل البيت",
    "bring | bring carry llevar traer levar trazer apporter amener लाना lana أحضر",
    "document | document documents papers paper documento documentos papiers दस्तावेज़ कागज kagaz وثائق أوراق",
    "bus | bus train metro transport taxi auto rickshaw station autobús autobus tren ônibus trem gare बस ट्रेन "
    "حافلة قطار مترو",
    "stay | stay sleep quedarse dormir ficar rester रुक ruk مبيت",
    "holiday | holiday holidays festivo feriado férié तातील عطلة",
    // --- departments, by their names in the data of most hospitals
    "cardiology | cardiology cardiologist cardiac heart cardiología cardiologia cardiólogo cardiologo "
    "cardiologista corazón coração cardiologie cardiologue coeur cœur हृदय दिल कार्डियोलॉजी dil hriday قلب "
    "القلب قلبية",
    "dermatology | dermatology dermatologist skin dermatología dermatologia dermatólogo dermatologo "
    "dermatologista piel pele dermatologie dermatologue dermato peau त्वचा चर्म स्किन tvacha twacha charm جلدية "
    "الجلدية جلد",
    "orthopaedics | orthopaedics orthopedics orthopaedic orthopedic ortho bone bones joint joints ortopedia "
    "ortopedista traumatología huesos ossos orthopédie orthopédiste os हड्डी हड्डियों haddi عظام العظام",
    "neurology | neurology neurologist neurological nerve nerves brain neurología neurologia neurólogo "
    "neurologista neurologie neurologue दिमाग न्यूरोलॉजी أعصاب الأعصاب",
    "gynaecology | gynaecology gynecology gynaecologist gynecologist gyn gyno gynae obstetrics obgyn "
    "ginecología ginecologia ginecólogo ginecologista gynécologie gynécologue स्त्री महिला mahila stri نساء "
    "النساء نسائية",
    "ophthalmology | ophthalmology ophthalmologist eye eyes vision optician oftalmología oftalmologia "
    "oftalmólogo oftalmologista ojos olhos ophtalmologie ophtalmologue yeux oculista आँख आंख नेत्र aankh ankh "
    "عيون العيون عين",
    "dentistry | dentistry dental dentist dentists teeth tooth dentista odontología odontologia dientes dentes "
    "dentiste dentaire dents दाँत दांत डेंटिस्ट daant dant أسنان الأسنان",
    "ent | ent ear ears nose throat otorrino otorrinolaringología otorrinolaringologia orl oreja nariz garganta "
    "oreille gorge कान नाक गला kaan naak gala أنف أذن حنجرة",
    "psychiatry | psychiatry psychiatrist psychologist psychology mental counselling counseling counsellor "
    "therapy psiquiatría psiquiatria psiquiatra psicólogo psicologo psychiatrie psychiatre psychologue मानसिक "
    "मनोचिकित्सक mansik نفسي نفسية",
    "hospital | hospital hospitals clinic clinics clínica clinica hôpital hopital clinique अस्पताल हॉस्पिटल "
    "aspatal haspatal مستشفى المستشفى عيادة العيادة",
};

constexpr std::string_view kStopWords[] = {
    "now right currently inside allowed allow mornings afternoons evenings only share provide show offer offers "
    "facility facilities against front r n b theres thats hows ive youre near "
    "next week getting a an the is are am was were be been do does did done i im ive id me my mine we us our "
    "ours you u ur your yours he she it its they them this that these those there here of to in on at for from "
    "by with about and or but if so as not no any some what whats which who whos how can could may might must "
    "shall should will would want wanted need like know tell please pls plz kindly thanks hi hello hey have has "
    "had get got give let just also too very really much-needed go going come coming one ok okay yes am pm "
    "possible possibly would sir madam maam dear good morning evening afternoon question ask asking information "
    "info regarding",
    "el la los las un una unos unas de del al en y o que cual cuales cómo como con por para su sus mi mis me se "
    "es son está esta están hay tienen tiene puedo puede quiero quisiera necesito favor hola buenos buenas días "
    "dias tardes lo le les ustedes usted a gracias",
    "o os as um uma do da dos das no na nos nas e ou que qual quais com por pra para seu sua meu minha eu é são "
    "está tem têm vocês você posso pode quero gostaria preciso favor olá ola bom boa dia tarde há ao à obrigado "
    "obrigada",
    "le la les un une des du de et ou que quel quelle quels quelles est ce sont comment avec pour par sur dans "
    "mon ma mes votre vos je j' il elle on nous vous puis peux peut veux voudrais besoin avez y a t s'il plaît "
    "plait svp bonjour merci au aux d' l' qu' êtes faire",
    "का की के को में से पर है हैं हो था थी क्या कौन कैसे और या यह वह मैं मुझे मेरा मेरी मेरे आप आपका आपकी आपके "
    "हम कृपया नमस्ते चाहिए सकते सकता सकती करना करें करते होता होती जी ने भी तक लिए धन्यवाद कर लेना लेनी लेने "
    "लें देना यहाँ यहां",
    "ka ki ke ko mein me mai main se par hai hain ho tha kya kyaa kaun kaise aur ya yeh woh mujhe mera meri "
    "mere aap aapka aapki aapke hum kripya namaste chahiye sakte sakta sakti karna karein karte hota hoti ji ne "
    "bhi tak liye dhanyavad kar krna karni h hn lena leni lene lein yahan milega milegi milta milti milte hoga hogi",
    "في من الى إلى على عن هل ما ماذا هو هي هذا هذه أنا انا لدي عندي عندكم لديكم أريد اريد ممكن من فضلك و أو او "
    "كيف مع لي لو مرحبا شكرا يا السلام عليكم أي اي التي الذي كل يمكن يمكنني أحتاج يوجد توجد يقع تقع",
};

}  // namespace

std::span<const std::string_view> ConceptRows() { return kConcepts; }
std::span<const std::string_view> StopWordRows() { return kStopWords; }

}  // namespace medidesk::assistant
