# Words for staff. One message for each code of the rules; a test checks that none is missing.
# Rules of wording: a raised reading is a "raised reading", never a diagnosis. Say what to do first.
# Numbers come as { $name }. Another language is a copy of this file, translated by a person.

## Where a reading stands
category-NORMAL = Normal
category-HIGH = Raised reading
category-HIGH_STAGE1 = Raised average
category-HIGH_STAGE2 = Raised average, the higher range
category-VERY_HIGH = Very high reading
category-LOW = Low reading
category-PREG_NOT_HIGH = Pregnant, not raised
category-PREG_HIGH = Pregnant, raised reading
category-PREG_SEVERE = Pregnant, very high reading
category-NOT_CLASSIFIED = Under 18: recorded only
category-none = No result
category-INVALID = This cannot be a reading: enter it again

## What to do
action-ADVICE_RECHECK_5Y = Give advice. Check again within 5 years; with type 2 diabetes at least every year.
action-ADVICE_RECHECK_SOONER = Give advice. Close to a raised reading: check again sooner than in 5 years.
action-ADVICE_LOW = Give advice on low blood pressure.
action-OFFER_ABPM_HBPM = Offer 24-hour or home monitoring.
action-ELSE_GP_WITHIN_3_WEEKS = If monitoring is declined or cannot be done: see the GP practice within 3 weeks.
action-GP_WITHIN_3_WEEKS = See the GP practice within 3 weeks.
action-GP_WITHIN_7_DAYS = See the GP practice within 7 days.
action-GP_SAME_DAY = See the GP practice today. Phone the practice now, and send the readings at once.
action-EMERGENCY_999_AE = Call 999 or go to A&E now.
action-NOTE_LOW_DIASTOLIC = The upper number is raised and the lower one is low: tell the GP practice both.
action-SYMPTOM_GP_REVIEW = Ask the GP practice to look into the symptoms within 3 weeks. After a drop on standing, measure standing in future.
action-MANUAL_BP_IF_TRAINED = The pulse is irregular, and automatic monitors are unreliable then: measure by hand if you are trained to.
action-IRREGULAR_PULSE_GP_SAME_DAY = The pulse is irregular: see the GP practice today. Phone the practice now.
action-ROUTINE_ANTENATAL = Carry on with routine antenatal care.
action-MATERNITY_SAME_DAY = Phone the maternity unit: to be seen today.
action-MATERNITY_EMERGENCY_NOW = Emergency: phone the maternity unit now, to be seen at once.
action-RECORD_ONLY = Record the reading. The rules for adults do not apply under 18.
action-LOCAL_PAEDIATRIC_ADVICE = Follow your local advice for children and young people.
action-CONFIRM_ENTRY = This value is unusual: measure again, or confirm it.
action-RE_ENTER = This cannot be a reading: measure and enter it again.

urgency-routine = Routine
urgency-within_3_weeks = Within 3 weeks
urgency-within_7_days = Within 7 days
urgency-same_day = Today
urgency-emergency = Emergency, now

disputed-more-urgent = Values disagree. The more urgent outcome is shown until somebody settles it.
disputed-all-the-same = Values disagree. The outcome is the same with each of them.

## Steps of a measurement
step-ask_red_flags = Very high reading. Ask now, before measuring again: is any of these there?
step-call_emergency = Call 999 now.
step-ask_age = Ask for the date of birth, or the age.
step-ask_pregnant = Ask: are you pregnant, or could you be?
step-ask_pulse_rhythm = Feel the pulse before you measure. Is it regular?
step-recheck_pulse = The pulse is irregular. Wait 5 minutes, then feel it again.
step-take_reading = Take reading { $number }. Seated and relaxed, arm supported, the right cuff.
step-take_reading-left = Take reading { $number } on the left arm. Seated and relaxed, arm supported, the right cuff.
step-take_reading-right = Take reading { $number } on the right arm. Seated and relaxed, arm supported, the right cuff.
step-ask_symptoms = Low reading. Ask: is any of these there?
step-take_standing = Ask the person to stand. After at least 1 minute, take a reading standing.
step-take_lying = Ask the person to lie down, and take a reading lying.
step-enter_home_readings = Enter the other readings of the diary or the monitor.
step-offer_monitoring = Offer 24-hour or home monitoring.
step-arrange = Arrange who sees the person next, and write down how.
step-arrange-within_3_weeks = Arrange for the GP practice to see the person within 3 weeks.
step-arrange-within_7_days = Arrange for the GP practice to see the person within 7 days.
step-arrange-same_day = Phone now: the person must be seen today. Send the readings at once.
step-arrange-emergency = Emergency: phone now.
step-give_advice = Tell the person the result and give advice. Write down what you said.
step-done = Done. There is no result to show.

why-first-reading = The first reading.
why-raised = The first reading is raised: take another one after at least 1 minute.
why-readings-differ = The last readings differ a lot: take another one.
why-other-arm = Raised reading: measure the other arm, too.
why-arms-differ = The arms differ by more than 15: measure both again.
why-higher-arm = The arms differ by more than 15: only the higher arm counts from here on.

note-any-red-flag-is-999 = Any of these means 999, whatever the blood pressure.
note-red-flags-later = If one of the warning signs begins later: 999.
note-tell-who-was-called = Write down who was told, and when.
note-no-practice-or-shut = No GP practice, or it is shut: NHS 111, an urgent treatment centre or A&E.
note-ask-known-af = Ask first whether atrial fibrillation is known already.
note-measure-by-hand = The pulse is irregular: measure by hand if you are trained to.
note-mean-not-ready = There are not enough readings for an average yet.
note-smaller-drop = Blood pressure fell a little on standing: start again from lying.
note-monitoring-declined = If it is declined, say so: the GP practice then sees the person within 3 weeks.
note-under-18 = Under 18: the reading is recorded and not classified.

pulse-regular = Regular
pulse-irregular = Irregular
pulse-not_checked = Not checked

red-flag-chest_pain = Chest pain
red-flag-new_confusion = New confusion
red-flag-breathlessness = Breathlessness
red-flag-stroke_signs = Signs of a stroke
red-flag-sudden_sight_change = Sudden change of sight
red-flag-severe_headache = Severe headache
red-flag-fit = A fit
red-flag-collapse = Collapse

symptom-fainting = Faints regularly
symptom-falls = Falls
symptom-near_faint = Nearly faints, almost daily
symptom-dizzy = Dizzy
symptom-nausea = Feels sick
symptom-tired = Tired
symptom-none = None of these

## Entry limits
limit-less = { $what } cannot be less than { $limit }{ $unit }.
limit-more = { $what } cannot be more than { $limit }{ $unit }.
limit-below = { $what } below { $limit }{ $unit } is unusual: measure again, or confirm it.
limit-above = { $what } above { $limit }{ $unit } is unusual: measure again, or confirm it.
limit-order = Diastolic must be lower than systolic.
limit-not-a-number = { $what } must be a number.
limit-name-systolic = Systolic
limit-name-diastolic = Diastolic
limit-name-pulse = Pulse
limit-name-height = Height
limit-name-waist = Waist
limit-name-weight = Weight

## Who somebody is
nhs-number-empty = Type the NHS number, or leave it empty and say why it is absent.
nhs-number-national-insurance = This looks like a National Insurance number. An NHS number has 10 digits and no letters.
nhs-number-not-ten-digits = An NHS number has exactly 10 digits, with spaces, hyphens or dots between them at most.
nhs-number-check-digit = This is not an NHS number: a digit is wrong, or two have changed places. Check it again.
nhs-number-never-issued = This number can never have been issued. Check each digit again.
nhs-number-placeholder = This is a placeholder, not an NHS number. Leave it empty and say why it is absent.
nhs-number-scotland = This number is in Scotland's range (CHI number). Check it again.
nhs-number-northern-ireland = This number is in Northern Ireland's range. Check it again.
nhs-number-test = This is a test number: it belongs to nobody.
nhs-number-not-issued = Numbers in this range have not been issued. Check it again.

postcode-partial = Part of a postcode: it is kept, and cannot be looked up.
postcode-invalid = This is not the form of a postcode. Check it, or keep it as it is.
postcode-suggestion = This is not the form of a postcode. Did you mean { $postcode }?
postcode-no-fixed-abode = Stands for: no fixed abode.
postcode-not-known = Stands for: address not known.
postcode-england = Stands for: England, not otherwise stated.
postcode-wales = Stands for: Wales.
postcode-scotland = Stands for: Scotland.
postcode-northern-ireland = Stands for: Northern Ireland.
postcode-india = Stands for: India.
postcode-other-country = Stands for: another country.

practice-none = Stands for: no registered GP practice.
practice-not-applicable = Stands for: not applicable.
practice-not-known = Stands for: practice not known.
practice-invalid = This is not the form of a GP practice's code (a letter and 5 digits). Check it, or keep it as it is.

phone-no-digits = There is no number in this.
phone-letters = There are letters in this number. Check it, or keep it as it is.
phone-short = This number is too short. Check it, or keep it as it is.
phone-long = This number is too long. Check it, or keep it as it is.
phone-odd = This is not the form of a British number. Check it, or keep it as it is.
phone-no-zero = A British number begins with 0, another one with + and the country. Check it, or keep it as it is.

birth-not-a-date = This is not a date. Type day, month and the year with 4 digits, as in 3 2 1968.
birth-in-future = This date is still to come.
birth-long-ago = That makes { $age } years. Check it, or confirm it.
birth-not-an-age = This is not an age in years.

name-no-letters = There are no letters in this name.
name-digits = There is a digit in this name. Check it, or confirm it.

## Health check
check-type-bp_only = Blood pressure only
check-type-nhs_health_check = NHS Health Check
check-type-smi_physical = Physical check, severe mental illness
check-type-learning_disability = Learning disability check
check-progress = { $done } of { $of }
check-progress-declined = { $done } of { $of }, of these { $declined } declined

item-age = Age
item-sex = Sex
item-ethnicity = Ethnic category
item-blood_pressure = Blood pressure
item-pulse_rhythm = Pulse rhythm
item-height = Height
item-weight = Weight
item-waist = Waist
item-smoking = Smoking
item-alcohol = Alcohol
item-activity = Physical activity
item-family_history = Heart disease in a parent, brother or sister under 60
item-cholesterol = Cholesterol
item-hba1c = HbA1c
item-risk_score = Cardiovascular risk score, from elsewhere
item-dementia_information = Information on dementia

answer-answered = Answered
answer-declined = Asked, declined
answer-not_asked = Not asked yet

eligibility-eligible = Can have an NHS Health Check.
eligibility-age_not_known = Ask for the age first.
eligibility-too_young = NHS Health Checks begin at 40.
eligibility-too_old = NHS Health Checks end at 74.
eligibility-excluded = No NHS Health Check: { $by }.
eligibility-not_yet = The last NHS Health Check was less than 5 years ago. Due from { $from }.
exclusion-chd = Coronary heart disease
exclusion-ckd = Chronic kidney disease
exclusion-diabetes = Diabetes
exclusion-hypertension = High blood pressure, diagnosed by a doctor
exclusion-af = Atrial fibrillation
exclusion-stroke_tia = Stroke or TIA
exclusion-familial_hypercholesterolaemia = Familial hypercholesterolaemia
exclusion-heart_failure = Heart failure
exclusion-pad = Peripheral arterial disease
exclusion-statins = Takes statins
exclusion-cvd_risk_20 = Earlier cardiovascular risk of 20% or more

bmi-underweight = Underweight
bmi-healthy = Healthy weight
bmi-overweight = Overweight
bmi-obesity_1 = Obesity, class 1
bmi-obesity_2 = Obesity, class 2
bmi-obesity_3 = Obesity, class 3
bmi-ask-first = Ask for permission before you talk about weight.
bmi-with-care = Take care at 65 and over, and with a lot of muscle: the index may mislead.
thresholds-no = Standard thresholds
thresholds-yes = Lower thresholds, for this family background
thresholds-ask_family_background = Ask about family background: with some the lower thresholds apply. Both are shown.
waist-below_bands = Waist is less than 0.4 of height: there is no band for that.
waist-healthy = Waist to height: healthy
waist-raised = Waist to height: increased
waist-high = Waist to height: high

audit-q1 = How often do you have a drink containing alcohol?
audit-q2 = How many units do you drink on a typical day when you are drinking?
audit-q3-female = How often in the last year have you had 6 or more units on one occasion?
audit-q3-male = How often in the last year have you had 8 or more units on one occasion?
audit-q3-both = How often in the last year have you had 6 or more units (women) or 8 or more (men) on one occasion?
audit-invalid = An answer is not possible: enter it again.
audit-incomplete = An answer is missing: ask again. There is no score yet.
audit-inconsistent = "Never" drinks, and yet an amount: check the answers.
audit-positive = 5 or more: ask the other 7 questions of AUDIT and give brief advice.
alcohol-lower = Lower risk
alcohol-increasing = Increasing risk
alcohol-higher = Higher risk
alcohol-possible_dependence = Possible dependence

work-none = Not in work
work-sedentary = Mostly sitting at work
work-standing = Mostly standing or walking at work
work-physical = Definite physical effort at work
work-heavy_manual = Heavy manual work
hours-none = None
hours-under_1h = Some, but less than 1 hour
hours-1_to_3h = 1 hour, but less than 3
hours-3h_or_more = 3 hours or more
activity-inactive = Inactive
activity-moderately_inactive = Moderately inactive
activity-moderately_active = Moderately active
activity-active = Active

smoking-never = Never smoked
smoking-ex = Used to smoke
smoking-light = Smokes 1 to 9 a day
smoking-moderate = Smokes 10 to 19 a day
smoking-heavy = Smokes 20 to 39 a day
smoking-very_heavy = Smokes 40 or more a day
smoking-current = Smokes, amount not known
smoking-non_smoker = Does not smoke, history not known
smoking-not_stated = Asked, chose not to say
smoking-unknown = Not known

diabetes-positive = Offer a blood test for diabetes.
diabetes-ask_family_background = Ask about family background: with some a blood test for diabetes should be offered at this weight.
diabetes-negative = No blood test for diabetes for this reason.
diabetes-not_known = Not enough is known: measure height, weight and blood pressure.
hba1c-below = HbA1c below 42
hba1c-high_risk = HbA1c 42 to 47: high risk of diabetes
hba1c-diabetes_range = HbA1c 48 or more: in the diabetes range. A laboratory must confirm it.

## Likely duplicates
likeness-possible = Perhaps the same person
likeness-likely = Likely the same person
match-nhs-number-same = Same NHS number
match-nhs-number-differs = Different NHS numbers
match-name-same = Same name
match-name-swapped = Same name, given and family name the other way round
match-name-close = Nearly the same name
match-name-partly = Part of the name is the same
match-name-one-part = One name is the same, another differs
match-name-differs = Different names
match-birth-same = Same date of birth
match-birth-day-and-month-swapped = Day and month of birth the other way round
match-birth-one-digit = Date of birth differs in one digit
match-birth-differs = Different dates of birth
match-age-fits = The ages fit
match-age-differs = The ages do not fit
match-postcode-same = Same postcode
match-postcode-near = Same postcode area
match-postcode-differs = Different postcode areas
match-phone-same = Same telephone number
match-phone-differs = Different telephone numbers
match-sex-same = Same sex
match-sex-differs = Different sex

## What is still to be done
task-open = To come
task-due = Due today
task-overdue = Overdue
task-not_reached = Tried, not reached
task-received = Received there
task-done = Done
task-declined = Declined
follow-up-repeat_bp = Measure blood pressure again
follow-up-hbpm_diary = Home readings, diary to come back
follow-up-hbpm = Home readings
follow-up-abpm = 24-hour monitoring
follow-up-home_monitor = Home monitor
follow-up-call = Telephone call
follow-up-register_gp = Help to register with a GP practice
referral-gp = See the GP practice: { $urgency }
referral-maternity = Maternity unit: { $urgency }
referral-999 = 999 or A&E: { $urgency }
referral-to-gp = the GP practice
referral-to-maternity = the maternity unit
referral-to-999 = 999 or A&E
status-sent = sent
status-received = received there
status-attended = attended
status-did_not_attend = did not attend
status-declined = declined
status-closed = closed
status-done = done
status-rearranged = moved to another day
status-not_reached = not reached
call-tried = tried, without getting through
call-no_answer = no answer
call-reached = reached

## What was said then and now
hindsight-other-rules = Said then: { $then } (rules { $rules }). Today's rules would say: { $now }.
hindsight-other-values = Said then: { $then }. What is recorded now comes to: { $now }.

## The story of a person
timeline-registered = First recorded
timeline-consent = Agreed: { $purpose }
timeline-no-consent = Did not agree: { $purpose }
timeline-consent-withdrawn = Withdrawn at { $at }
consent-share_with_gp = share with the GP practice
consent-contact_me = be contacted
timeline-merged = Found to be the same person as another record
timeline-unmerged = Taken apart again: not the same person
timeline-entered-in-error = Entered in error: { $reason }
timeline-struck-out = Struck out: { $reason }
timeline-seen = Seen
timeline-seen-at = Seen at { $site }
timeline-session = Pop-up of { $date }
timeline-reason = Came: { $reason }
reason-walk_up = walked up
reason-invited = invited
reason-follow_up = for follow-up
reason-referred = referred
timeline-to-settle = Values disagree, to settle: { $open }
timeline-red-flags = Warning signs: { $flags }
timeline-no-red-flags = Asked for warning signs: none
timeline-reading = Reading { $pair }
timeline-home-reading = Home reading { $pair }
timeline-pulse = Pulse { $pulse }
timeline-detail = { $detail }
arm-left = Left arm
arm-right = Right arm
position-sitting = Sitting
position-standing = Standing
position-lying = Lying
timeline-counts = This reading counts
timeline-corrects = Corrects { $was }
timeline-corrected = Corrected to { $to }
timeline-because = Reason: { $reason }
timeline-measurement = { $what } { $value } { $unit }
measurement-height = Height
measurement-weight = Weight
measurement-waist = Waist
measurement-total_cholesterol = Total cholesterol
measurement-hdl = HDL cholesterol
measurement-hba1c = HbA1c
timeline-result = { $category }, { $pair }
timeline-mean-of-days = Average of home readings over { $days } days
timeline-advice = Said: { $what }
timeline-shown-then = Shown then: { $category } (rules { $rules })
timeline-referral = Referred to { $to }
timeline-follow-up = Agreed: { $what }
timeline-due-on = Due on { $date }
timeline-happened = { $what }: { $status }
timeline-outcome = Outcome: { $outcome }
timeline-lent = Monitor lent { $device }
timeline-returned = Monitor came back
timeline-call = Telephone call: { $outcome }
timeline-spoke-to = Spoke to { $name }
timeline-about = About: { $about }
timeline-note = Note: { $text }
timeline-ended = { $how }
ended-completed = Completed
ended-left_early = Left early
ended-parked = Parked

## The card for the person who was seen: plain words, no diagnosis
card-title = Your blood pressure
card-title-average = Your average blood pressure
card-figures = { $systolic } over { $diastolic }
card-no-result = There is no result yet.
card-category-NORMAL = This is in the normal range.
card-category-NORMAL-close = This is in the normal range, and close to raised.
card-category-HIGH = This reading is raised. It should be looked at again: one raised reading does not say more than that.
card-category-HIGH_STAGE1 = This average is raised. Your GP practice should look at it.
card-category-HIGH_STAGE2 = This average is raised, in the higher range. Your GP practice should look at it soon.
card-category-VERY_HIGH = This reading is very high. You need to be seen today.
card-category-LOW = This reading is low.
card-category-PREG_NOT_HIGH = This reading is not raised.
card-category-PREG_HIGH = This reading is raised. In pregnancy you need to be seen today.
card-category-PREG_SEVERE = This reading is very high. In pregnancy you need to be seen at once.
card-category-NOT_CLASSIFIED = Your reading was written down. The ranges for adults do not apply under 18.
card-action-ADVICE_RECHECK_5Y = Have your blood pressure checked again within 5 years; with type 2 diabetes at least every year.
card-action-ADVICE_RECHECK_SOONER = Have your blood pressure checked again sooner than in 5 years.
card-action-ADVICE_LOW = If you feel dizzy, sick or tired: see your GP practice within 3 weeks. If you faint or fall: see them today.
card-action-OFFER_ABPM_HBPM = Next, measure at home for some days, or wear a monitor for 24 hours.
card-action-ELSE_GP_WITHIN_3_WEEKS = If you do not do that: see your GP practice within 3 weeks.
card-action-GP_WITHIN_3_WEEKS = See your GP practice within 3 weeks. Take this card with you.
card-action-GP_WITHIN_7_DAYS = See your GP practice within 7 days. Take this card with you.
card-action-GP_SAME_DAY = See your GP practice today. If it is closed: NHS 111, an urgent treatment centre or A&E.
card-action-EMERGENCY_999_AE = Call 999 or go to A&E now.
card-action-NOTE_LOW_DIASTOLIC = Show both numbers to your GP practice.
card-action-SYMPTOM_GP_REVIEW = Tell your GP practice within 3 weeks how you have been feeling.
card-action-IRREGULAR_PULSE_GP_SAME_DAY = Your pulse was not regular. See your GP practice today. If it is closed: NHS 111, an urgent treatment centre or A&E.
card-action-ROUTINE_ANTENATAL = Carry on with your usual antenatal care.
card-action-MATERNITY_SAME_DAY = Phone your maternity unit now. They should see you today.
card-action-MATERNITY_EMERGENCY_NOW = This is an emergency. Phone your maternity unit now. They should see you at once.
card-action-LOCAL_PAEDIATRIC_ADVICE = Ask your GP practice what it means at your age.
card-warning = Call 999 if one of these begins: { $signs }.
card-nobody-at-base = Nobody at base can see this. Phone now, and write down whom you spoke to.
