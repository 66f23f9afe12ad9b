//! Sensors and a recipe in, the names of a vector's columns out: `temperature`, `temperature.log_std_dev.lag1`.

use crd::model::Feature;

use super::pipeline::Recipe;

/// The names of a vector's columns, in [`Features`](super::pipeline::Features)'s order: lags, sensors, features.
pub fn column_names(sensors: &[String], recipe: &Recipe) -> Vec<String> {
    let mut columns = Vec::with_capacity(recipe.columns(sensors.len()));
    for lag in 0..=recipe.lags {
        for sensor in sensors {
            columns.extend(recipe.features.iter().map(|feature| column(sensor, *feature, lag)));
        }
    }
    columns
}

fn column(sensor: &str, feature: Feature, lag: usize) -> String {
    let feature = match feature {
        Feature::Value => "",
        Feature::Difference => ".difference",
        Feature::LogStdDev => ".log_std_dev",
        Feature::RollingMean => ".rolling_mean",
        Feature::DailyResidual => ".daily_residual",
    };
    let lag = if lag == 0 { String::new() } else { format!(".lag{lag}") };
    format!("{sensor}{feature}{lag}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_vector_are_named_by_lag_sensor_and_feature() {
        let recipe = |features, lags| Recipe { features, window: 10, lags };
        let sensors = ["heat".to_owned(), "load".to_owned()];
        assert_eq!(column_names(&sensors, &recipe(vec![Feature::Value], 0)), ["heat", "load"]);
        assert_eq!(
            column_names(&sensors, &recipe(vec![Feature::Value, Feature::LogStdDev], 1)),
            [
                "heat",
                "heat.log_std_dev",
                "load",
                "load.log_std_dev",
                "heat.lag1",
                "heat.log_std_dev.lag1",
                "load.lag1",
                "load.log_std_dev.lag1"
            ]
        );
    }
}
