//! Names, languages and ethnic categories that go together. Combinations are invented; nobody is meant.

/// A community as a name generator sees it: what people are called, what they speak (with weights), and the
/// ethnic category codes they give.
pub(super) struct Community {
    pub women: &'static [&'static str],
    pub men: &'static [&'static str],
    pub families: &'static [&'static str],
    pub languages: &'static [(&'static str, u64)],
    pub ethnicities: &'static [(&'static str, u64)],
}

/// Communities with how many of a hundred-odd visitors come from each.
pub(super) const COMMUNITIES: &[(&Community, u64)] = &[
    (&ENGLISH, 30),
    (&IRISH, 4),
    (&PAKISTANI, 16),
    (&BENGALI, 9),
    (&PUNJABI, 6),
    (&GUJARATI, 5),
    (&SOMALI, 5),
    (&WEST_AFRICAN, 7),
    (&CARIBBEAN, 5),
    (&ARAB, 5),
    (&IRANIAN_KURDISH, 3),
    (&EASTERN_EUROPEAN, 7),
    (&PORTUGUESE, 2),
    (&CHINESE, 3),
    (&VIETNAMESE, 2),
    (&TAMIL, 2),
];

const ENGLISH: Community = Community {
    women: &[
        "Hazel", "Maureen", "Bethany", "Lorraine", "Pauline", "Wendy", "Florence", "Kirsty", "Tracey",
        "Edith",
    ],
    men: &[
        "Geoffrey", "Callum", "Stuart", "Norman", "Lewis", "Ronald", "Darren", "Reggie", "Clive", "Howard",
    ],
    families: &[
        "Ashworth",
        "Bickerstaff",
        "Cartwright",
        "Dunnock",
        "Fairhurst",
        "Greenhalgh",
        "Hardcastle",
        "Lumb",
        "Ogden",
        "Smith-Barraclough",
        "Thistlethwaite",
        "Winterbottom",
    ],
    languages: &[("en", 98), ("bfi", 2)],
    ethnicities: &[("A", 80), ("C", 4), ("D", 4), ("G", 3), ("F", 2), ("Z", 4), ("99", 3)],
};
const IRISH: Community = Community {
    women: &["Bríd", "Caoimhe", "Gráinne", "Sinéad", "Róisín", "Nuala"],
    men: &["Pádraig", "Cathal", "Eoin", "Fergus", "Ruairí", "Dónal"],
    families: &["O'Shaughnessy", "Ní Cheallaigh", "Mac Giolla", "O’Rourke", "McGinty", "D'Arcy", "Tierney"],
    languages: &[("en", 95), ("ga", 5)],
    ethnicities: &[("B", 80), ("C", 15), ("Z", 5)],
};
const PAKISTANI: Community = Community {
    women: &["Shaheen", "Rukhsana", "Nasreen", "Tahira", "Sumaira", "Bushra", "Noreen", "Mehwish"],
    men: &["Tariq", "Nadeem", "Shabir", "Iftikhar", "Waqas", "Zulfiqar", "Rashid", "Adnan"],
    families: &[
        "Mahmood", "Bibi", "Qureshi", "Chaudhry", "Bhatti", "Malik", "Siddiqui", "Raja", "Mirza", "Parveen",
    ],
    languages: &[("en", 45), ("ur", 30), ("pa", 20), ("ps", 5)],
    ethnicities: &[("J", 92), ("L", 3), ("Z", 3), ("99", 2)],
};
const BENGALI: Community = Community {
    women: &["Rahela", "Shirin", "Momtaz", "Nazma", "Sultana", "Jorina"],
    men: &["Abdul Motin", "Shofiq", "Anwar", "Kamrul", "Monir", "Ruhul"],
    families: &["Uddin", "Miah", "Khatun", "Chowdhury", "Sarkar", "Talukdar", "Bhuiyan"],
    languages: &[("en", 40), ("bn", 35), ("syl", 25)],
    ethnicities: &[("K", 94), ("L", 3), ("99", 3)],
};
const PUNJABI: Community = Community {
    women: &["Balwinder", "Paramjit", "Sukhvinder", "Jasleen", "Narinder"],
    men: &["Kuldip", "Satnam", "Amrik", "Baldev", "Tejinder"],
    families: &["Dhillon", "Sandhu", "Bains", "Grewal", "Sidhu", "Kaur Johal"],
    languages: &[("en", 50), ("pa", 48), ("hi", 2)],
    ethnicities: &[("H", 95), ("L", 2), ("Z", 3)],
};
const GUJARATI: Community = Community {
    women: &["Hansa", "Kokila", "Nirmala", "Pushpa", "Bhavna"],
    men: &["Dinesh", "Kantilal", "Mukesh", "Hasmukh", "Jayesh"],
    families: &["Desai", "Mistry", "Solanki", "Parmar", "Thakkar", "Vora"],
    languages: &[("en", 55), ("gu", 42), ("hi", 3)],
    ethnicities: &[("H", 96), ("L", 2), ("99", 2)],
};
const SOMALI: Community = Community {
    women: &["Ayaan", "Ifrah", "Khadra", "Nimco", "Xaliimo"],
    men: &["Bashir", "Cabdullahi", "Guled", "Liban", "Saciid"],
    families: &["Farah", "Jama", "Hersi", "Dirie", "Abshir", "Xuseen"],
    languages: &[("so", 55), ("en", 40), ("ar", 5)],
    ethnicities: &[("N", 90), ("P", 6), ("S", 4)],
};
const WEST_AFRICAN: Community = Community {
    women: &["Olúfúnkẹ́", "Blessing", "Akosua", "Mariama", "Ifeoma", "Temitope"],
    men: &["Babajide", "Kwabena", "Obinna", "Lamine", "Yaw", "Sunday"],
    families: &["Adébáyọ̀", "N'Diaye", "Asante", "Nwachukwu", "Ogunleye", "Jalloh", "Danso"],
    languages: &[("en", 75), ("yo", 10), ("fr", 8), ("tw", 5), ("ff", 2)],
    ethnicities: &[("N", 92), ("P", 5), ("E", 3)],
};
const CARIBBEAN: Community = Community {
    women: &["Beverley", "Marcia", "Hyacinth", "Yvonne", "Shanice"],
    men: &["Winston", "Desmond", "Leroy", "Errol", "Jermaine"],
    families: &["Braithwaite", "St. Hilaire", "Gayle", "Francois", "Bogle", "Sealy"],
    languages: &[("en", 97), ("fr", 3)],
    ethnicities: &[("M", 82), ("P", 10), ("D", 8)],
};
const ARAB: Community = Community {
    women: &["Rania", "هدى", "Samar", "Wafaa", "نور"],
    men: &["Khalil", "عبد الرحمن", "Ziad", "Faris", "Haytham"],
    families: &["Al-Masri", "الخطيب", "Haddad", "Bin Saleh", "El-Sayed", "القحطاني"],
    languages: &[("ar", 70), ("en", 28), ("fr", 2)],
    ethnicities: &[("S", 85), ("N", 5), ("C", 5), ("Z", 5)],
};
const IRANIAN_KURDISH: Community = Community {
    women: &["Shirîn", "Parisa", "Mahnaz", "Berivan", "مریم"],
    men: &["Dilovan", "Behrouz", "Rebwar", "Farhad", "کاوه"],
    families: &["Hosseinpour", "Barzan", "Rezaei", "Qadir", "Öztürk"],
    languages: &[("fa", 40), ("ckb", 30), ("en", 20), ("tr", 10)],
    ethnicities: &[("S", 70), ("L", 12), ("C", 13), ("Z", 5)],
};
const EASTERN_EUROPEAN: Community = Community {
    women: &["Małgorzata", "Zuzana", "Ștefania", "Jūratė", "Oksana", "Rozália"],
    men: &["Łukasz", "Zdeněk", "Răzvan", "Kęstutis", "Taras", "Zoltán"],
    families: &[
        "Wiśniowska",
        "Błaszczyk",
        "Horváth",
        "Țurcanu",
        "Kazlauskienė",
        "Шевчук",
        "Čonka",
        "Lakatoš",
    ],
    languages: &[("pl", 35), ("ro", 25), ("en", 15), ("sk", 10), ("lt", 5), ("uk", 5), ("hu", 5)],
    ethnicities: &[("C", 94), ("G", 2), ("Z", 4)],
};
const PORTUGUESE: Community = Community {
    women: &["Conceição", "Graça", "Inês", "Luzia"],
    men: &["João Pedro", "Sebastião", "Nuno", "Estêvão"],
    families: &["Gonçalves", "dos Anjos", "Magalhães", "Tavares e Sousa", "Semedo"],
    languages: &[("pt", 65), ("en", 35)],
    ethnicities: &[("C", 70), ("N", 15), ("G", 10), ("P", 5)],
};
const CHINESE: Community = Community {
    women: &["Yuk-Ling", "Xiaohong", "秀英", "Siu-Fong"],
    men: &["Kam-Wing", "Jianguo", "志强", "Ho-Yin"],
    families: &["Au", "Cheung", "陈", "Ng", "Szeto", "Ou"],
    languages: &[("yue", 45), ("zh", 25), ("en", 30)],
    ethnicities: &[("R", 92), ("L", 6), ("99", 2)],
};
const VIETNAMESE: Community = Community {
    women: &["Thị Hương", "Bích Ngọc", "Tuyết"],
    men: &["Văn Hùng", "Quốc Bảo", "Đức"],
    families: &["Đặng", "Võ", "Huỳnh", "Trịnh"],
    languages: &[("vi", 70), ("en", 30)],
    ethnicities: &[("L", 95), ("99", 5)],
};
const TAMIL: Community = Community {
    women: &["Sivagami", "Thamarai", "Kalaivani"],
    men: &["Balasubramaniam", "Sivakumar", "Arulanantham"],
    families: &["Thirunavukkarasu", "S", "Ponnambalam", "Kandiah"],
    languages: &[("ta", 60), ("en", 40)],
    ethnicities: &[("L", 90), ("H", 8), ("Z", 2)],
};

/// Names that forms like to break on: (given, family), an empty part meaning that there is none.
pub(super) const AWKWARD: &[(&str, &str)] = &[
    ("O", "E"),
    ("Y", "Ó"),
    ("Sukarnoputra", ""),
    ("", "Xiong"),
    (
        "Maria do Perpétuo Socorro Francisca Antónia",
        "de Vasconcelos e Albuquerque Sottomayor-Pinheiro da Anunciação",
    ),
    ("Anne-Marie D'Arcy", "van der O'Houlihan-Šmíd"),
    ("Rene\u{301}e", "Zoe\u{308}ga"),
    ("שרה־לאה", "בן־דוד"),
    ("محمد\u{200c}رضا", "حاجی\u{200c}زاده"),
    ("ਹਰਪ੍ਰੀਤ", "ਕੌਰ ਬੈਂਸ"),
    ("null", "Null"),
    ("Test", "Patient"),
    ("Robert \"Bobby\"", "Semi;Colon, Esq."),
    ("jean  luc", "DE LA TOUR"),
];
