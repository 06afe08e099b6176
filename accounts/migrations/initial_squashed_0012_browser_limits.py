"""The schema as the migrations before it leave it, in one step: for databases that have none of them yet."""

import accounts.models.origins
import core.clock
import django.contrib.auth.models
import django.contrib.auth.validators
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models

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

    replaces = [
        ('accounts', '0001_initial'),
        ('accounts', '0002_tenant_scope'),
        ('accounts', '0003_limits_and_usage'),
        ('accounts', '0004_origins_and_warnings'),
        ('accounts', '0005_attribution'),
        ('accounts', '0006_retention'),
        ('accounts', '0007_signing_keys'),
        ('accounts', '0008_tokens'),
        ('accounts', '0009_require_dpop'),
        ('accounts', '0010_audit_log'),
        ('accounts', '0011_released_to_browsers'),
        ('accounts', '0012_browser_limits'),
    ]

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='Plan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True)),
                ('ai_calls_per_build', models.PositiveIntegerField(blank=True, help_text="At most so many AI calls in one build; empty: the deployment's AI_CALLS_PER_BUILD.", null=True)),
                ('on_quota', models.CharField(choices=[('reject', 'Refuse every request (429)'), ('static', 'Answer reads of recommendations with the popular list, refuse the rest')], default='reject', help_text="What happens when the month's requests are used up.", max_length=8)),
                ('read_burst', models.PositiveIntegerField(blank=True, default=600, help_text="How many of them at once, never more than a whole minute's; empty: those.", null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('read_per_minute', models.PositiveIntegerField(blank=True, default=6000, help_text='Empty: unlimited.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('requests_per_month', models.PositiveBigIntegerField(blank=True, default=None, help_text='Reads and writes together; empty: counted, and unlimited.', null=True)),
                ('write_burst', models.PositiveIntegerField(blank=True, default=200, help_text="How many of them at once, never more than a whole minute's; empty: those.", null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('write_per_minute', models.PositiveIntegerField(blank=True, default=1200, help_text='Empty: unlimited.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('browser_read_per_minute', models.PositiveIntegerField(blank=True, default=240, help_text="Of one person's browser tokens, half of them at once; empty: unlimited.", null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('browser_write_per_minute', models.PositiveIntegerField(blank=True, default=120, help_text="Of one person's browser tokens, half of them at once; empty: unlimited.", null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('backend_percent', models.PositiveSmallIntegerField(db_default=50, default=50, help_text='The share of every limit that all browser tokens together leave to the backend.', validators=[django.core.validators.MaxValueValidator(99)])),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('read_per_minute__gte', 1), ('read_burst__gte', 1), ('write_per_minute__gte', 1), ('write_burst__gte', 1)), name='plan_limits_at_least_1'), models.CheckConstraint(condition=models.Q(('browser_read_per_minute__gte', 1), ('browser_write_per_minute__gte', 1), ('backend_percent__lte', 99)), name='plan_browser_limits')],
            },
        ),
        migrations.CreateModel(
            name='Tenant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=63, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$', 'Lower-case letters, digits and hyphens.')])),
                ('name', models.CharField(max_length=200)),
                ('active', models.BooleanField(default=True, help_text="An inactive tenant's tokens are refused within 5 seconds.")),
                ('create_unknown', models.BooleanField(default=True, help_text='An event for an unknown item or person creates it; otherwise the event is refused.')),
                ('locale', models.CharField(default='en', help_text='For reasons, where a person has none.', max_length=16)),
                ('created_at', models.DateTimeField(default=core.clock.now, editable=False)),
                ('plan', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tenants', to='accounts.plan')),
                ('allowed_origins', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=300), blank=True, default=list, help_text="Origins of the tenant's own web pages that may call the API, such as https://shop.example.org; one in a line. Effective within 5 seconds.", size=None, validators=[accounts.models.origins.validate_origins])),
                ('attribution_hours', models.PositiveSmallIntegerField(default=168, help_text='How long after an impression a click or a conversion counts for it, in hours.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(2160)])),
                ('conversion_types', models.CharField(default='purchase', help_text='Event types that are conversions, with spaces between. Clicks are events of the type click.', max_length=200, validators=[django.core.validators.RegexValidator('^[a-z0-9_.:-]+( [a-z0-9_.:-]+)*$', 'Event types, with single spaces between.')])),
                ('impressions', models.CharField(choices=[('implied', 'Every page that is served'), ('explicit', 'Events of the type impression')], default='implied', help_text='What counts as shown. Effective in 5 seconds.', max_length=8)),
                ('require_dpop', models.BooleanField(default=False, help_text="Refuse tokens that are not bound to a key (RFC 9449), but for browsers'. Effective in 5 seconds.", verbose_name='require DPoP')),
                ('browser_item_attributes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=128), blank=True, db_default=[], default=list, help_text="Names of item attributes that people's browsers may see and filter by, one in a line; none: no attribute. Effective within 5 seconds.", size=None)),
                ('browser_user_attributes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=128), blank=True, db_default=[], default=list, help_text="Names of people's own attributes that their browsers may filter by, one in a line; segments stands for the person's segments too. Effective within 5 seconds.", size=None)),
            ],
            options={
                'ordering': ['slug'],
                'constraints': [models.CheckConstraint(condition=models.Q(('attribution_hours__gte', 1)), name='attribution_at_least_an_hour')],
            },
        ),
        migrations.CreateModel(
            name='ApiClient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('client_id', models.CharField(editable=False, max_length=40, unique=True)),
                ('secret_hash', models.CharField(editable=False, max_length=64)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), help_text='What its tokens may do, separated by commas.', size=None)),
                ('active', models.BooleanField(default=True, help_text='A deactivated client is refused within 5 seconds.')),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('created_at', models.DateTimeField(default=core.clock.now, editable=False)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='clients', to='accounts.tenant')),
                ('previous_secret_hash', models.CharField(blank=True, editable=False, max_length=64)),
                ('previous_secret_until', models.DateTimeField(blank=True, editable=False, help_text='Until then the secret before this one is good as well.', null=True)),
            ],
            options={
                'verbose_name': 'API client',
                'ordering': ['tenant', 'name'],
            },
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
                ('tenant', models.ForeignKey(blank=True, help_text='Confines this person to one tenant; empty: all tenants.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='staff', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'user',
                'verbose_name_plural': 'users',
                'abstract': False,
            },
            managers=[
                ('objects', django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name='FeatureFlag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(choices=[('recommendations', 'Personal recommendations'), ('ai', 'AI reranking and reasons')], max_length=32)),
                ('percent', models.PositiveSmallIntegerField(default=100, help_text='0 is off, 100 is on; in between, the same people always.', validators=[django.core.validators.MaxValueValidator(100)])),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='flags', to='accounts.tenant')),
            ],
            options={
                'ordering': ['tenant', 'name'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'name'), name='one_flag_per_tenant_and_name'), models.CheckConstraint(condition=models.Q(('percent__lte', 100)), name='flag_percent_at_most_100')],
            },
        ),
        migrations.CreateModel(
            name='TenantUsage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.CharField(help_text='YYYY-MM', max_length=7)),
                ('used', models.PositiveBigIntegerField(default=0, help_text='Up to a minute old.')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='usage', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'monthly usage',
                'verbose_name_plural': 'monthly usage',
                'ordering': ['-month', 'tenant'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'month'), name='one_usage_per_tenant_and_month')],
            },
        ),
        migrations.CreateModel(
            name='QuotaWarning',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.CharField(help_text='YYYY-MM', max_length=7)),
                ('percent', models.PositiveSmallIntegerField()),
                ('quota', models.PositiveBigIntegerField(help_text="The plan's requests a month at that moment.")),
                ('used', models.PositiveBigIntegerField()),
                ('at', models.DateTimeField()),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='quota_warnings', to='accounts.tenant')),
            ],
            options={
                'ordering': ['-at', '-pk'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'month', 'percent', 'quota'), name='one_warning_per_tenant_month_percent_and_quota')],
            },
        ),
        migrations.CreateModel(
            name='Retention',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_days', models.PositiveIntegerField(blank=True, help_text='What people did, from when it happened. 0: for ever.', null=True)),
                ('ai_days', models.PositiveIntegerField(blank=True, help_text="What AI answered about people; at most the deployment's AI_ANSWER_DAYS.", null=True)),
                ('import_days', models.PositiveIntegerField(blank=True, help_text='Imports with their refused rows, from their end. 0: for ever.', null=True)),
                ('import_file_days', models.PositiveIntegerField(blank=True, help_text="Imports' files, from their end. 0: they go at once.", null=True)),
                ('answer_hours', models.PositiveSmallIntegerField(blank=True, help_text='Answers of writes with an Idempotency-Key; a repetition after that is refused (410) for 24 hours.', null=True, validators=[django.core.validators.MaxValueValidator(24)])),
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name': 'retention',
                'verbose_name_plural': 'retention',
            },
        ),
        migrations.CreateModel(
            name='SigningKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kid', models.CharField(help_text="The public key's thumbprint (RFC 7638).", max_length=43, unique=True, verbose_name='key id')),
                ('algorithm', models.CharField(choices=[('RS256', 'Rs256'), ('ES256', 'Es256')], max_length=5)),
                ('public_pem', models.TextField(verbose_name='public key')),
                ('private_sealed', models.TextField(blank=True, editable=False)),
                ('created_at', models.DateTimeField()),
                ('signs_from', models.DateTimeField(help_text='Published from its creation on; signs from this moment on.')),
                ('accepted_until', models.DateTimeField(blank=True, help_text='Set when another key takes over; its tokens are refused afterwards.', null=True)),
            ],
            options={
                'ordering': ['-signs_from'],
            },
        ),
        migrations.CreateModel(
            name='RefreshFamily',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), size=None)),
                ('key_thumbprint', models.CharField(blank=True, help_text='Of the key that it is bound to (DPoP).', max_length=43)),
                ('started_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_why', models.CharField(blank=True, choices=[('replayed', 'A used token was used again'), ('revoked', 'Revoked by its client'), ('client', 'The client was deactivated'), ('staff', 'Revoked by staff')], max_length=8)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='refresh_families', to='accounts.apiclient')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='refresh_families', to='accounts.tenant')),
            ],
            options={
                'verbose_name_plural': 'refresh families',
                'ordering': ['-started_at'],
            },
        ),
        migrations.CreateModel(
            name='RefreshToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token_hash', models.CharField(editable=False, max_length=64, unique=True)),
                ('issued_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('access_token_id', models.CharField(max_length=64)),
                ('access_expires_at', models.DateTimeField()),
                ('family', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to='accounts.refreshfamily')),
                ('parent', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='successor', to='accounts.refreshtoken')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='refresh_tokens', to='accounts.tenant')),
            ],
            options={
                'ordering': ['-issued_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='ReplayAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('client_id', models.CharField(db_index=True, max_length=40, verbose_name='client id')),
                ('kind', models.CharField(choices=[('refresh', 'Refresh token'), ('dpop', 'DPoP proof')], max_length=8)),
                ('at', models.DateTimeField(db_index=True)),
                ('address', models.CharField(help_text='Where it came from.', max_length=45)),
                ('subject', models.CharField(help_text="The family, or the hash of the proof's id.", max_length=64)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='replay_attempts', to='accounts.tenant')),
            ],
            options={
                'ordering': ['-at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='RevokedToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token_id', models.CharField(max_length=64)),
                ('revoked_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='revoked_tokens', to='accounts.tenant')),
            ],
            options={
                'ordering': ['-revoked_at'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'token_id'), name='one_revocation_per_tenant_and_token')],
            },
        ),
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
        EnableTenantScope('accounts_tenant', column='id'),
        EnableTenantScope('accounts_apiclient'),
        EnableTenantScope('accounts_featureflag'),
        EnableTenantScope('accounts_tenantusage'),
        EnableTenantScope('accounts_quotawarning'),
        EnableTenantScope('accounts_retention'),
        EnableTenantScope('accounts_refreshfamily'),
        EnableTenantScope('accounts_refreshtoken'),
        EnableTenantScope('accounts_revokedtoken'),
        EnableTenantScope('accounts_replayattempt'),
        EnableTenantScope('accounts_auditentry'),
        migrations.RunSQL(PROTECT, UNPROTECT),
    ]
