//! Reading templates, their versions and who may use them.

use std::collections::BTreeMap;

use chancery_domain::attributes;
use chancery_domain::events::templates::TemplateContents;
use chancery_domain::templates::{
    PromotionRequest, SubjectKind, TemplateGrant, TemplateRecord, TemplateRight, TemplateSettings, TemplateStatus,
    TemplateVersionRecord,
};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::directory::bound;
use crate::directory::rows::{flag, number};
use crate::queries::time;
use crate::{State, StateError};

/// Selects templates as [`template`] reads them.
macro_rules! select_templates {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, display_name, description, organization, status, deprecation, active_version, settings, own,
                version, created_at, updated_at FROM templates ",
            $rest
        )
    };
}

/// Selects versions of templates as [`version`] reads them.
macro_rules! select_versions {
    ($rest:literal) => {
        concat!(
            "SELECT id, template_id, name, message, sha256, size_bytes, archived, pushed_by, pushed_at
                FROM template_versions ",
            $rest
        )
    };
}

/// Selects who was given templates as [`grant`] reads them.
macro_rules! select_access {
    ($condition:literal) => {
        concat!(
            "SELECT subject_kind, subject_id, subject_name, permission, granted_at, template_id FROM template_access
                WHERE ",
            $condition,
            " ORDER BY template_id, subject_kind, subject_id, permission"
        )
    };
}

pub(crate) const TEMPLATE: &str = select_templates!("WHERE id = $1");
pub(crate) const NAMESAKES: &str =
    select_templates!("WHERE name_key = $1 AND organization = $2 AND status <> 'deleted'");
pub(crate) const VERSION: &str = select_versions!("WHERE template_id = $1 AND id = $2");
pub(crate) const VERSIONS: &str = select_versions!("WHERE template_id = $1 ORDER BY id");
pub(crate) const CONTENTS: &str = "SELECT contents FROM template_versions WHERE template_id = $1 AND id = $2";
/// What Chancery itself has given.
pub(crate) const ACCESS: &str = select_access!("template_id = $1 AND own = 1");
const ACCESS_AMONG: &str = select_access!("own >= CAST($1 AS BIGINT) AND template_id IN ($ids)");
pub(crate) const PAGE: &str = select_templates!("WHERE id > $1 AND status <> 'deleted' ORDER BY id LIMIT $2");
pub(crate) const PAGE_OF_ALL: &str = select_templates!("WHERE id > $1 ORDER BY id LIMIT $2");
pub(crate) const PROMOTION: &str =
    "SELECT version_id, version_name, requested_by, requested_by_name, requested_at, event
    FROM template_promotions WHERE template_id = $1";
const VERSION_COUNTS: &str = "SELECT template_id, count(*) FROM template_versions
    WHERE own >= CAST($1 AS BIGINT) AND template_id IN ($ids) GROUP BY template_id";
pub(crate) const LIVING_WORKSPACES: &str =
    "SELECT count(*) FROM workspaces WHERE template_id = $1 AND status <> 'deleted'";

impl State {
    /// The template with this id, also when it is deleted.
    pub async fn template(&self, id: &str) -> Result<Option<TemplateRecord>, StateError> {
        self.rows(sqlx::query(TEMPLATE).bind(id.to_owned())).await?.first().map(template).transpose()
    }

    /// The templates of an organization with this name, whatever its case, that are not deleted.
    pub async fn templates_by_name(&self, organization: &str, name: &str) -> Result<Vec<TemplateRecord>, StateError> {
        let query = sqlx::query(NAMESAKES).bind(attributes::key(name)).bind(organization.to_owned());
        self.rows(query).await?.iter().map(template).collect()
    }

    /// One version of a template.
    pub async fn template_version(
        &self,
        template: &str,
        id: &str,
    ) -> Result<Option<TemplateVersionRecord>, StateError> {
        let query = sqlx::query(VERSION).bind(template.to_owned()).bind(id.to_owned());
        self.rows(query).await?.first().map(version).transpose()
    }

    /// All versions of a template, by id.
    pub async fn template_versions(&self, template: &str) -> Result<Vec<TemplateVersionRecord>, StateError> {
        self.rows(sqlx::query(VERSIONS).bind(template.to_owned())).await?.iter().map(version).collect()
    }
}

impl State {
    /// Templates in the order of their ids, after the id `after`; deleted ones only `with_deleted`.
    pub async fn templates(
        &self,
        after: Option<&str>,
        limit: usize,
        with_deleted: bool,
    ) -> Result<Vec<TemplateRecord>, StateError> {
        let query = sqlx::query(if with_deleted { PAGE_OF_ALL } else { PAGE });
        let query = query.bind(after.unwrap_or_default().to_owned()).bind(bound(limit));
        self.rows(query).await?.iter().map(template).collect()
    }

    /// Who was given a template. What other systems report of that gives nobody access here.
    pub async fn template_access(&self, template: &str) -> Result<Vec<TemplateGrant>, StateError> {
        self.rows(sqlx::query(ACCESS).bind(template.to_owned())).await?.iter().map(grant).collect()
    }

    /// Who was given each of these templates, by template.
    pub async fn access_to_templates(
        &self,
        templates: &[String],
    ) -> Result<BTreeMap<String, Vec<TemplateGrant>>, StateError> {
        let mut access: BTreeMap<String, Vec<TemplateGrant>> = BTreeMap::new();
        for row in self.rows_of(ACCESS_AMONG, "1", templates).await? {
            access.entry(row.try_get(5)?).or_default().push(grant(&row)?);
        }
        Ok(access)
    }

    /// How many versions each of these templates has; those without any are left out.
    pub async fn count_template_versions(&self, templates: &[String]) -> Result<BTreeMap<String, u64>, StateError> {
        let rows = self.rows_of(VERSION_COUNTS, "0", templates).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, number(row, 1)?))).collect()
    }

    /// What a version of a template declares; nothing where that is not known.
    pub async fn template_contents(
        &self,
        template: &str,
        version: &str,
    ) -> Result<Option<TemplateContents>, StateError> {
        let query = sqlx::query(CONTENTS).bind(template.to_owned()).bind(version.to_owned());
        let rows = self.rows(query).await?;
        let Some(text) = rows.first().map(|row| row.try_get::<Option<String>, _>(0)).transpose()?.flatten() else {
            return Ok(None);
        };
        serde_json::from_str(&text).map(Some).map_err(|_| StateError::Row("template_versions"))
    }

    /// The promotion of a version of a template that waits for a second person.
    pub async fn template_promotion(&self, template: &str) -> Result<Option<PromotionRequest>, StateError> {
        self.rows(sqlx::query(PROMOTION).bind(template.to_owned())).await?.first().map(promotion).transpose()
    }

    /// How many workspaces are made from a template and not deleted.
    pub async fn count_workspaces_of_template(&self, template: &str) -> Result<u64, StateError> {
        let row = sqlx::query(LIVING_WORKSPACES).bind(template.to_owned()).fetch_one(&self.pool).await?;
        Ok(number(&row, 0)?)
    }
}

fn promotion(row: &AnyRow) -> Result<PromotionRequest, StateError> {
    Ok(PromotionRequest {
        version_id: row.try_get(0)?,
        version_name: row.try_get(1)?,
        requested_by: row.try_get(2)?,
        requested_by_name: row.try_get(3)?,
        requested_at: time(row.try_get(4)?),
        event: row.try_get(5)?,
    })
}

fn grant(row: &AnyRow) -> Result<TemplateGrant, StateError> {
    let unknown = || StateError::Row("template_access");
    Ok(TemplateGrant {
        subject: SubjectKind::from_name(row.try_get(0)?).ok_or_else(unknown)?,
        subject_id: row.try_get(1)?,
        subject_name: row.try_get(2)?,
        right: TemplateRight::from_name(row.try_get(3)?).ok_or_else(unknown)?,
        granted_at: time(row.try_get(4)?),
    })
}

fn template(row: &AnyRow) -> Result<TemplateRecord, StateError> {
    let settings: Option<String> = row.try_get(8)?;
    let settings = settings.map_or(Ok(TemplateSettings::default()), |text| serde_json::from_str(&text));
    Ok(TemplateRecord {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        display_name: row.try_get(2)?,
        description: row.try_get(3)?,
        organization: row.try_get(4)?,
        status: TemplateStatus::from_name(row.try_get(5)?).ok_or(StateError::Row("templates"))?,
        deprecation: row.try_get(6)?,
        active_version: row.try_get(7)?,
        settings: settings.map_err(|_| StateError::Row("templates"))?,
        own: flag(row, 9)?,
        version: number(row, 10)?,
        created_at: time(row.try_get(11)?),
        updated_at: time(row.try_get(12)?),
    })
}

fn version(row: &AnyRow) -> Result<TemplateVersionRecord, StateError> {
    Ok(TemplateVersionRecord {
        id: row.try_get(0)?,
        template_id: row.try_get(1)?,
        name: row.try_get(2)?,
        message: row.try_get(3)?,
        sha256: row.try_get(4)?,
        size_bytes: number(row, 5)?,
        archived: flag(row, 6)?,
        pushed_by: row.try_get(7)?,
        pushed_at: time(row.try_get(8)?),
    })
}
