//! Small files in the official layouts. Their values are invented: no such practices, and codes of areas that do not
//! exist (E01999…).

use std::fmt::Write;
use std::path::Path;

use wayside_protocol::error::Code;

use super::*;

/// The header of the postcode lookup until 2024.
const NSPL: &str = "pcd,pcd2,pcds,dointr,doterm,usertype,oseast1m,osnrth1m,osgrdind,oa21,cty,ced,laua,ward,nhser,ctry,rgn,\
pcon,ttwa,itl,park,lsoa21,msoa21,wz11,sicbl,bua22,ru11ind,oac11,lat,long,lep1,lep2,pfa,imd,icb";
/// Since then.
const NSPL_YEARS: &str = "pcd7,pcd8,pcds,dointr,doterm,usrtypind,east1m,north1m,gridind,oa21cd,cty26cd,ced25cd,lad26cd,\
wd26cd,nhser24cd,ctry26cd,rgn26cd,pcon24cd,ttwa15cd,itl25cd,npark16cd,lsoa21cd,msoa21cd,wz11cd,sicbl26cd,bua24cd,\
ruc21ind,oac21ind,lat,long,lep21cd1,lep21cd2,pfa23cd,imd25ind,icb26cd";
/// The directory, which has both censuses.
const ONSPD: &str = "pcd,pcd2,pcds,dointr,doterm,oscty,ced,oslaua,osward,parish,usertype,oseast1m,osnrth1m,osgrdind,\
oshlthau,nhser,ctry,rgn,streg,pcon,eer,teclec,ttwa,pct,itl,statsward,oa01,casward,park,lsoa01,msoa01,ur01ind,oac01,\
oa11,lsoa11,msoa11,wz11,sicbl,bua11,buasd11,ru11ind,oac11,lat,long,lep1,lep2,pfa,imd,calncv,icb,oa21,lsoa21,msoa21";

/// A row under a header, with these columns filled.
fn row(header: &str, values: &[(&str, &str)]) -> String {
    let cell = |name: &str| {
        let value = values.iter().find(|(column, _)| *column == name).map_or("", |(_, value)| value);
        format!("\"{value}\"")
    };
    header.split(',').map(cell).collect::<Vec<_>>().join(",")
}

fn deprivation(lsoa: &str, rows: &[(&str, u32, u8, u32)]) -> String {
    let year = if lsoa == "2011" { "2019" } else { "2024" };
    let mut file = format!(
        "\u{feff}LSOA code ({lsoa}),LSOA name ({lsoa}),Local Authority District code ({year}),\
         Local Authority District name ({year}),Index of Multiple Deprivation (IMD) Score,\
         Index of Multiple Deprivation (IMD) Rank (where 1 is most deprived),\
         Index of Multiple Deprivation (IMD) Decile (where 1 is most deprived 10% of LSOAs),Income Score (rate),\
         \"Total population: mid 2015 (excluding prisoners)\"\r\n"
    );
    for (code, rank, decile, people) in rows {
        writeln!(file, "{code},Invented 001A,E08999999,Invented,40.1,{rank},{decile},0.2,{people}\r")
            .unwrap();
    }
    file
}

fn take(data: &Path, file: &str) -> Result<Imported> {
    import(data, file.as_bytes(), "a test", 1_700_000_000_000, &mut |_| ())
}

fn code(result: Result<Imported>) -> (Code, String) {
    let error = result.unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn a_postcode_has_its_area_whichever_layout_it_came_in() {
    let dir = tempfile::tempdir().unwrap();
    for (header, names) in [
        (NSPL, ["lsoa21", "ward", "laua", "ctry"]),
        (NSPL_YEARS, ["lsoa21cd", "wd26cd", "lad26cd", "ctry26cd"]),
        (ONSPD, ["lsoa21", "osward", "oslaua", "ctry"]),
    ] {
        let [lsoa, ward, district, country] = names;
        let live = [("pcds", "LS9 7TF"), (lsoa, "E01999001"), (ward, "E05999001"), (district, "E08999999")];
        let live = row(header, &[&live[..], &[(country, "E92000001"), ("lsoa11", "E01999011")]].concat());
        let ended = row(header, &[("pcds", "LS9 7TG"), ("doterm", "201612"), (ward, "E99999999")]);
        let other = row(header, &[("pcds", "not one"), (lsoa, "E01999001")]);
        let more = ['A', 'B', 'D', 'E'].map(|c| row(header, &[("pcds", &format!("LS8 1A{c}"))]));
        let rows = [vec![header.to_owned(), live, ended, other], more.to_vec()].concat().join("\n");
        let imported = take(dir.path(), &rows).unwrap();
        assert_eq!((imported.kind, imported.rows, imported.skipped), (Kind::Postcodes, 6, 1));

        let reference = Reference::open(dir.path()).unwrap();
        let area = reference.area("ls97tf").unwrap().unwrap();
        assert_eq!((area.lsoa21.as_str(), area.ward.as_str()), ("E01999001", "E05999001"));
        assert_eq!((area.district.as_str(), area.country.as_str()), ("E08999999", "E92000001"));
        assert_eq!(area.lsoa11, if header == ONSPD { "E01999011" } else { "" });
        assert!(!area.terminated);
        let ended = reference.area("LS9 7TG").unwrap().unwrap();
        assert!(ended.terminated && ended.ward.is_empty(), "E99999999 is no ward");
        for nowhere in ["ZZ99 3VZ", "LS9", "LS9 7TH", ""] {
            assert_eq!(reference.area(nowhere).unwrap(), None, "{nowhere}");
        }
    }
}

#[test]
fn years_of_deprivation_stand_side_by_side_and_are_never_mixed() {
    let dir = tempfile::tempdir().unwrap();
    take(dir.path(), &deprivation("2011", &[("E01999011", 3_284, 1, 1_500), ("E01999012", 6_600, 3, 10)]))
        .unwrap();
    let area = Area {
        lsoa11: "E01999011".into(),
        lsoa21: "E01999001".into(),
        ward: String::new(),
        district: "E08999999".into(),
        country: "E92000001".into(),
        terminated: false,
    };
    let reference = Reference::open(dir.path()).unwrap();
    assert_eq!(reference.deprivation_year().unwrap(), Some(Year::Y2019));
    assert_eq!(reference.deprivation(&area, Year::Y2025).unwrap(), None);

    let newer =
        [("E01999001", 6_751, 2, 1_000), ("E01999002", 6_752, 3, 700), ("E01999003", 33_755, 10, 300)];
    take(dir.path(), &deprivation("2021", &newer)).unwrap();
    assert_eq!(reference.deprivation_year().unwrap(), Some(Year::Y2025));
    let old = reference.deprivation(&area, Year::Y2019).unwrap().unwrap();
    let new = reference.deprivation(&area, Year::Y2025).unwrap().unwrap();
    assert_eq!((old.decile, old.quintile(), new.rank, new.decile), (1, 1, 6_751, 2));
    assert!(new.is_core20(), "the last rank of the most deprived fifth");
    let next = Area { lsoa21: "E01999002".into(), ..area };
    let next = reference.deprivation(&next, Year::Y2025).unwrap().unwrap();
    assert!(!next.is_core20() && next.quintile() == 2);
    let people = reference.people_by_quintile("E08999999", Year::Y2025).unwrap();
    assert_eq!(people, Some([1_000, 700, 0, 0, 300]));
    assert_eq!(reference.people_by_quintile("E08000035", Year::Y2025).unwrap(), None);
}

#[test]
fn practices_and_populations() {
    let dir = tempfile::tempdir().unwrap();
    let practice = |code: &str, status: &str| {
        let mut fields = vec![""; 27];
        (fields[0], fields[1], fields[12]) = (code, "\"INVENTED SURGERY, THE\"", status);
        (fields[4], fields[6], fields[9], fields[17]) = ("1 NO STREET", "NOWHERE", "LS9 7TF", "0113 4960000");
        fields.join(",")
    };
    let file = [practice("B86999", "A"), practice("B86998", "C"), practice("Y0PRISON", "A")].join("\n");
    let imported = take(dir.path(), &file).unwrap();
    assert_eq!((imported.kind, imported.rows, imported.skipped), (Kind::Practices, 2, 1));
    let reference = Reference::open(dir.path()).unwrap();
    let open = reference.practice("B86999").unwrap().unwrap();
    assert_eq!(
        (open.name.as_str(), open.address.as_str()),
        ("INVENTED SURGERY, THE", "1 NO STREET\nNOWHERE")
    );
    assert!(open.active && !reference.practice("B86998").unwrap().unwrap().active);

    let file = "area,area_name,measure,code,people\nE08999999,Invented,ethnic_category,J,4000\n\
                E08999999,Invented,ethnic_category,A,6000\nE08999999,Invented,total,,10000\n";
    take(dir.path(), file).unwrap();
    let groups = reference.population("E08999999", "ethnic_category").unwrap();
    assert_eq!(groups, [("A".to_owned(), 6_000), ("J".to_owned(), 4_000)]);
    let kinds = reference.datasets().unwrap().into_iter().map(|dataset| dataset.kind).collect::<Vec<_>>();
    assert_eq!(kinds, ["population", "practices"]);
}

#[test]
fn a_file_that_is_cut_short_or_wrong_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let good = deprivation("2021", &[("E01999001", 1, 1, 1_000), ("E01999002", 2, 1, 700)]);
    take(dir.path(), &good).unwrap();
    let bad_decile = deprivation("2021", &[("E01999001", 1, 1, 5), ("E01999009", 2, 11, 5)]);
    let (why, said) = code(take(dir.path(), &bad_decile));
    assert_eq!(why, Code::ReferenceMalformed);
    assert!(said.contains("Row 3"), "{said}");
    // Cut in the last row.
    let cut = &deprivation("2021", &[("E01999001", 9, 1, 5), ("E01999002", 8, 1, 5)]);
    let (why, said) = code(take(dir.path(), cut[..cut.len() - 12].trim_end()));
    assert_eq!(why, Code::ReferenceMalformed, "{said}");
    for strange in ["", "name,colour\na,b\n", "\u{0}\u{1}\u{2}", "pcds,doterm\nLS9 7TF,\n"] {
        assert_eq!(code(take(dir.path(), strange)).0, Code::ReferenceUnknown);
    }
    let reference = Reference::open(dir.path()).unwrap();
    let rank: u32 = reference
        .conn
        .query_row("SELECT rank FROM deprivation WHERE lsoa = 'E01999001'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rank, 1, "what was there still stands, and nothing else");
    let rows = reference.datasets().unwrap().iter().map(|dataset| dataset.rows).collect::<Vec<_>>();
    assert_eq!(rows, [2]);
}

#[test]
fn a_later_release_replaces_the_earlier_one_whole() {
    let dir = tempfile::tempdir().unwrap();
    let reference = Reference::open(dir.path()).unwrap();
    take(dir.path(), &deprivation("2021", &[("E01999001", 1, 1, 5), ("E01999002", 2, 1, 5)])).unwrap();
    take(dir.path(), &deprivation("2021", &[("E01999001", 4, 1, 5)])).unwrap();
    let held: (u64, u32) = reference
        .conn
        .query_row("SELECT count(*), min(rank) FROM deprivation", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(held, (1, 4));
}
