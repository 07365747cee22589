//! Reading templates, their versions and who may use them.

use chancery_domain::attributes;
use chancery_domain::templates::{
    SubjectKind, TemplateGrant, TemplateRecord, TemplateRight, TemplateSettings, TemplateStatus, TemplateVersionRecord,
};
use sqlx::Row;
use sqlx::any::AnyRow;

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

const TEMPLATE: &str = select_templates!("WHERE id = $1");
const NAMESAKES: &str = select_templates!("WHERE name_key = $1 AND organization = $2 AND status <> 'deleted'");
const VERSION: &str = select_versions!("WHERE template_id = $1 AND id = $2");
const VERSIONS: &str = select_versions!("WHERE template_id = $1 ORDER BY id");
/// What Chancery itself has given.
pub(crate) const ACCESS: &str =
    "SELECT subject_kind, subject_id, subject_name, permission, granted_at FROM template_access
    WHERE template_id = $1 AND own = 1 ORDER BY subject_kind, subject_id, permission";

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
    /// Who was given a template. What other systems report of that gives nobody access here.
    pub async fn template_access(&self, template: &str) -> Result<Vec<TemplateGrant>, StateError> {
        self.rows(sqlx::query(ACCESS).bind(template.to_owned())).await?.iter().map(grant).collect()
    }
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
