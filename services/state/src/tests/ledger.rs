//! Decisions about builds and quotas, taken on the log: the same on both engines, folded again the same, and one after the
//! other however many want the same.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;

use chancery_domain::events::workspaces::{ScheduleSet, Transition};
use chancery_domain::workspaces::WorkspaceStatus;
use chancery_domain::workspaces::builds::{
    BrokenOff, BuildRecord, BuildReport, CancelBuild, Ending, FinishBuild, PlanBuild, RequestBuild,
};
use chancery_domain::workspaces::clock::Patience;
use chancery_domain::workspaces::creation::CreateWorkspace;
use chancery_domain::workspaces::lifecycle::TransferWorkspace;

use super::*;

/// What the users may use.
const ALLOWANCE: u64 = 20;

/// A log of its own, its state, and decisions on both.
struct Place {
    log: Log,
    state: State,
    decisions: Decisions,
    cancel: CancellationToken,
    now: AtomicI64,
    _directory: TempDir,
}

impl Place {
    async fn open(database: &Database) -> Self {
        let directory = TempDir::new().unwrap();
        let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
        let state = open(&log, database).await;
        let cancel = CancellationToken::new();
        let all = log.assignment(Role::Projector).unwrap();
        tokio::spawn(consume(log.clone(), Projector::new(state.clone()), Arc::new(state.clone()), all, cancel.clone()));
        let decisions = Decisions::new(log.clone(), state.clone());
        let now = AtomicI64::new(1_800_000_000_000_000);
        let place = Self { log, state, decisions, cancel, now, _directory: directory };
        place.found().await;
        place
    }

    /// An organization with two users, a group that gives them an allowance, and a template.
    async fn found(&self) {
        let version = json!({"version_id": "v", "version_name": "1", "sha256": "00", "size_bytes": 1});
        let user = |name: &str| json!({"username": name});
        let founding = [
            ("organization.created", "organization", "o", json!({"name": "eng"})),
            ("user.created", "user", "ada", user("ada")),
            ("user.created", "user", "bob", user("bob")),
            ("group.created", "group", "g", json!({"name": "g", "quota_allowance": ALLOWANCE})),
            ("group.member.added", "group", "g", json!({"user_id": "ada"})),
            ("group.member.added", "group", "g", json!({"user_id": "bob"})),
            ("template.created", "template", "t", json!({"name": "go"})),
            ("template.version.pushed", "template", "t", version.clone()),
            ("template.version.promoted", "template", "t", version),
        ];
        let events = founding.into_iter().map(|(event_type, kind, id, data)| {
            let mut context = self.context();
            let resource = Resource::new(kind, id).named(data["name"].as_str().unwrap_or(id));
            let mut event =
                Event::new(event_type, context.ids.draw(), OWN_SOURCE, context.now, context.actor, resource);
            event.organization = Some("eng".into());
            event.data = data;
            event
        });
        append(&self.log, events).await;
        self.state.caught_up(&self.log.heads()).await.unwrap();
    }

    /// The next moment, and ids that nobody else draws.
    fn context(&self) -> Context {
        let now = self.now.fetch_add(1_000_000, Ordering::SeqCst);
        Context { now: Timestamp::from_micros(now).unwrap(), ..context(u128::from(now.unsigned_abs()) << 40) }
    }

    fn later(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    async fn create(&self, id: &str, owner: &str) -> Result<Option<String>, CommandError> {
        let command = CreateWorkspace {
            id: id.into(),
            name: id.into(),
            template_version: None,
            parameters: BTreeMap::new(),
            schedule: None::<ScheduleSet>,
            start: true,
        };
        let context = self.context();
        let making = Making { command, owner: owner.into(), template: "t".into(), administers: false, context };
        self.decisions.create_workspace(making).await
    }

    async fn request(&self, id: &str, transition: Transition) -> Result<Option<u32>, CommandError> {
        let parameters = BTreeMap::from([("step".to_owned(), self.now.load(Ordering::SeqCst).to_string())]);
        let command = RequestBuild {
            transition,
            cause: "initiator",
            reason: None,
            template_version: None,
            parameters: (transition == Transition::Start).then_some(parameters),
        };
        self.decisions.request_build(id, &command, false, |_| Ok(self.context())).await
    }

    async fn acquire(&self) -> Option<BuildRecord> {
        let queue = self.decisions.state().queue(Timestamp::EPOCH).await.unwrap();
        for job in queue {
            let taken = self.decisions.acquire_job::<CommandError>(&job, "r", || self.context()).await.unwrap();
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    async fn job(&self, id: &str) -> Option<String> {
        let workspace = self.state.workspace(id).await.unwrap()?;
        self.state.last_build(&workspace).await.unwrap()?.job_id
    }

    async fn plan(&self, job: &str, cost: u32) -> Result<bool, CommandError> {
        let command = PlanBuild { cost, unknown: Vec::new(), resources: None };
        self.decisions.plan_build(job, &command, |_| Ok(self.context())).await.map(|judged| judged.allowed)
    }

    async fn begin(&self, job: &str) -> Result<(), CommandError> {
        self.decisions.begin_apply(job, |_| Ok(self.context())).await
    }

    async fn finish(&self, job: &str, ending: Ending) -> Result<(), CommandError> {
        self.decisions
            .finish_build(job, &FinishBuild { ending, report: BuildReport::default() }, |_| Ok(self.context()))
            .await
    }

    async fn counted(&self, user: &str) -> u64 {
        let rows = self.state.ledger("eng", user).await.unwrap();
        rows.iter().map(|row| row.entry.counted()).sum()
    }

    /// One step of a history; what is refused changes nothing.
    async fn step(&self, (kind, number, other, cost): (u8, u8, u8, u32)) {
        let id = format!("w{}", number % 4);
        let who = ["ada", "bob"][usize::from(other) % 2];
        let job = self.job(&id).await.unwrap_or_default();
        let broken = BrokenOff {
            applied: other % 2 == 0,
            resources_remain: [None, Some(true), Some(false)][usize::from(other) % 3],
        };
        let _refused = match kind {
            0 | 1 => self.create(&id, who).await.is_err(),
            2 => self.request(&id, Transition::Start).await.is_err(),
            3 => self.request(&id, Transition::Stop).await.is_err(),
            4 => self.request(&id, Transition::Delete).await.is_err(),
            5..=8 => self.acquire().await.is_none(),
            9..=11 => self.plan(&job, cost).await.is_err(),
            12..=14 => self.begin(&job).await.is_err(),
            15..=17 => self.finish(&job, Ending::Succeeded { cost: None }).await.is_err(),
            18 => self.finish(&job, Ending::Failed { broken, error: None, expired: false }).await.is_err(),
            19 => self.finish(&job, Ending::Canceled { broken }).await.is_err(),
            20 => {
                let number = self.state.workspace(&id).await.unwrap().map_or(0, |workspace| workspace.last_build);
                let command = CancelBuild::default();
                let permit = |_: &_| Ok::<_, CommandError>(self.context());
                self.decisions.cancel_build(&id, number, &command, permit).await.is_err()
            }
            21 => {
                let command = TransferWorkspace { reason: None };
                let permit = |_: &_| Ok::<_, CommandError>(self.context());
                self.decisions.transfer_workspace(&id, who, &command, permit).await.is_err()
            }
            _ => {
                self.later(4000);
                self.decisions.go_round(Patience::default(), || self.context()).await.unwrap().failed > 0
            }
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn a_history_gives_the_same_rows_on_both_engines_and_folded_again(
        history in prop::collection::vec((0..23_u8, 0..4_u8, 0..6_u8, 0..15_u32), 20..90),
    ) {
        static CASE: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static ENGINES: Engines = Engines::start());
        let case = CASE.fetch_add(1, Ordering::Relaxed);
        ENGINES.with(|engines| tokio::runtime::Runtime::new().unwrap().block_on(async {
            let databases = engines.databases(&format!("ledger{case}"));
            let [one, other] = [Place::open(&databases[0]).await, Place::open(&databases[1]).await];
            for step in history {
                let before = (one.counted("ada").await, one.counted("bob").await);
                one.step(step).await;
                other.step(step).await;
                // Stops cost what they cost.
                let stops = (9..=11).contains(&step.0);
                for (user, was) in [("ada", before.0), ("bob", before.1)] {
                    let is = one.counted(user).await;
                    assert!(is <= was || is <= ALLOWANCE || stops, "{user} had {was} and has {is}");
                }
            }
            let heads = one.log.heads();
            assert_eq!(heads, other.log.heads());
            let report = compare(&one.state, &other.state, heads.clone()).await.unwrap();
            assert_eq!(report.differences, [], "between the engines");
            let fresh = open(&one.log, &engines.databases(&format!("refolded{case}"))[0]).await;
            fold(&one.log, &fresh, &heads).await.unwrap();
            assert_eq!(compare(&one.state, &fresh, heads).await.unwrap().differences, [], "folded again");
            for place in [one, other] {
                place.cancel.cancel();
                place.state.close().await;
            }
            fresh.close().await;
        }));
    }
}

#[tokio::test]
async fn of_many_plans_at_once_none_is_too_many() {
    let engines = Engines::start();
    for database in engines.databases("plans") {
        let place = Place::open(&database).await;
        for number in 0..12 {
            place.create(&format!("w{number}"), "ada").await.unwrap();
        }
        let mut jobs = Vec::new();
        while let Some(build) = place.acquire().await {
            jobs.push(build.job_id.unwrap());
        }
        assert_eq!(jobs.len(), 12);
        let plans = futures::future::join_all(jobs.iter().map(|job| place.plan(job, 4))).await;
        let accepted = plans.into_iter().filter(|plan| *plan.as_ref().unwrap()).count();
        assert_eq!((accepted, place.counted("ada").await), (5, 20));
        place.cancel.cancel();
        place.state.close().await;
    }
}

#[tokio::test]
async fn of_many_runners_each_gets_another_job() {
    let engines = Engines::start();
    for database in engines.databases("jobs") {
        let place = Place::open(&database).await;
        for number in 0..8 {
            place.create(&format!("w{number}"), "ada").await.unwrap();
        }
        let taken = futures::future::join_all((0..12).map(|_| place.acquire())).await;
        let jobs: Vec<String> = taken.into_iter().flatten().filter_map(|build| build.job_id).collect();
        let distinct: BTreeSet<&String> = jobs.iter().collect();
        assert_eq!((jobs.len(), distinct.len()), (8, 8));
        place.cancel.cancel();
        place.state.close().await;
    }
}

#[tokio::test]
async fn the_clock_stops_what_a_spent_budget_runs_and_warns_before() {
    let engines = Engines::start();
    let place = Place::open(&engines.databases("budget")[0]).await;
    place.create("w", "ada").await.unwrap();
    let job = place.acquire().await.unwrap().job_id.unwrap();
    place.plan(&job, 10).await.unwrap();
    place.begin(&job).await.unwrap();
    place.finish(&job, Ending::Succeeded { cost: None }).await.unwrap();
    let budget = chancery_domain::quotas::bounds::SetBudget {
        organization: "eng".into(),
        subject_kind: chancery_domain::events::quotas::BudgetSubject::User,
        subject_id: Some("ada".into()),
        period: chancery_domain::events::quotas::Period::Month,
        credit_hours: Some(50),
        hard: true,
    };
    place.decisions.set_budget::<CommandError>(&budget, || place.context()).await.unwrap();
    let round = async || place.decisions.go_round(Patience::default(), || place.context()).await.unwrap();
    assert_eq!(round().await, Rounds { seen: 1, ..Rounds::default() });
    place.later(4 * 3600 + 60);
    assert_eq!(round().await, Rounds { seen: 1, warned: 1, ..Rounds::default() }, "80 % of it");
    assert_eq!(round().await.warned, 0, "once");
    place.later(3600);
    assert_eq!(round().await.acted, 1);
    let workspace = place.state.workspace("w").await.unwrap().unwrap();
    let build = place.state.last_build(&workspace).await.unwrap().unwrap();
    assert_eq!((build.transition, build.cause.as_deref()), (Transition::Stop, Some("budget")));
    assert!(build.reason.unwrap().contains("eng/user/ada/month"));
    let job = place.acquire().await.unwrap().job_id.unwrap();
    place.plan(&job, 0).await.unwrap();
    place.begin(&job).await.unwrap();
    place.finish(&job, Ending::Succeeded { cost: None }).await.unwrap();
    place.request("w", Transition::Start).await.unwrap();
    let job = place.acquire().await.unwrap().job_id.unwrap();
    assert!(!place.plan(&job, 10).await.unwrap(), "nothing starts until the next month");
    assert_eq!(place.state.workspace("w").await.unwrap().unwrap().status, WorkspaceStatus::Stopped);
    place.cancel.cancel();
}

#[tokio::test]
async fn a_suspension_stops_by_builds_that_runners_carry_out() {
    use chancery_domain::events::directory::Suspension;
    use chancery_domain::users::SuspendUser;
    let engines = Engines::start();
    let place = Place::open(&engines.databases("suspension")[0]).await;
    for id in ["runs", "waits", "builds"] {
        place.create(id, "ada").await.unwrap();
    }
    let run = async |cost| {
        let job = place.acquire().await.unwrap().job_id.unwrap();
        place.plan(&job, cost).await.unwrap();
        place.begin(&job).await.unwrap();
        job
    };
    let first = run(4).await;
    place.finish(&first, Ending::Succeeded { cost: None }).await.unwrap();
    // The queue is in order: the second waits, if the third is taken by hand.
    let taken = run(3).await;
    let possessions = place.state.possessions("ada").await.unwrap();
    let ada = place.state.user("ada").await.unwrap().unwrap();
    let command = SuspendUser { suspension: Suspension::default(), reason: None };
    place
        .decisions
        .decide(&["user/ada".to_owned()], async || {
            Ok::<_, CommandError>((command.clone().decide(&ada, &possessions, place.context())?, ()))
        })
        .await
        .unwrap();
    let statuses = async || {
        let mut all = Vec::new();
        for id in ["runs", "waits", "builds"] {
            all.push(place.state.workspace(id).await.unwrap().unwrap().status);
        }
        all
    };
    assert_eq!(
        statuses().await,
        [WorkspaceStatus::Pending, WorkspaceStatus::Canceling, WorkspaceStatus::Stopped],
        "a stop waits, a start in progress is told to end, one that waited is over"
    );
    place.finish(&taken, Ending::Canceled { broken: BrokenOff::default() }).await.unwrap();
    let rounds = place.decisions.go_round(Patience::default(), || place.context()).await.unwrap();
    assert_eq!((rounds.acted, rounds.failed), (1, 0), "the clock stops what the runner left");
    for _ in 0..2 {
        let job = run(0).await;
        place.finish(&job, Ending::Succeeded { cost: None }).await.unwrap();
    }
    assert_eq!(statuses().await, [WorkspaceStatus::Stopped; 3]);
    assert_eq!(place.counted("ada").await, 0);
    place.cancel.cancel();
}
