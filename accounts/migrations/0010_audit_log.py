from django.db import migrations, models
import django.db.models.deletion

from core.postgres.row_level_security import EnableTenantScope

# Whoever owns the table is bound by nothing: a restore, a test database that is emptied. The app's role is not the owner.
PROTECT = """
CREATE FUNCTION docent_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE' AND OLD.at < now() - interval '90 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION docent_audit_is_append_only();
"""
UNPROTECT = """
DROP TRIGGER audit_is_append_only ON accounts_auditentry;
DROP FUNCTION docent_audit_is_append_only();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_require_dpop'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('actor', models.CharField(help_text='The name they log in with; of a command, who ran it.', max_length=150, verbose_name='who')),
                ('actor_id', models.BigIntegerField(blank=True, null=True)),
                ('via', models.CharField(choices=[('admin', 'Admin'), ('command', 'Command line')], max_length=7)),
                ('action', models.CharField(max_length=60)),
                ('outcome', models.CharField(choices=[('done', 'Done'), ('refused', 'Refused')], default='done', max_length=7)),
                ('target_type', models.CharField(blank=True, max_length=100, verbose_name='what')),
                ('target_id', models.CharField(blank=True, max_length=100)),
                ('target', models.CharField(blank=True, max_length=200, verbose_name='which')),
                ('changes', models.JSONField(blank=True, default=dict, help_text='Each field that changed, from what and to what.')),
                ('reason', models.CharField(blank=True, max_length=500, verbose_name='why')),
                ('note', models.CharField(blank=True, max_length=500)),
                ('address', models.GenericIPAddressField(blank=True, null=True)),
                ('request_id', models.CharField(blank=True, max_length=128)),
                ('tenant', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit log',
                'ordering': ['-id'],
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['at'], name='audit_by_time'), models.Index(fields=['target_type', 'target_id'], name='audit_by_target')],
            },
        ),
        EnableTenantScope('accounts_auditentry'),
        migrations.RunSQL(PROTECT, UNPROTECT),
    ]
